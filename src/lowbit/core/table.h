// Text in aligned columns.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace lowbit::core {

using TableRow = std::vector<std::string>;

// Rows, at least one, of as many cells as the first has; the first `left_columns` columns to the
// left (names), the others to the right (numbers). Lines end with a newline; cells are shown
// as printable() does.
std::string format_table(const std::vector<TableRow>& rows, size_t left_columns);

}  // namespace lowbit::core
