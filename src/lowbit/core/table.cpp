#include "lowbit/core/table.h"

#include <fmt/format.h>

#include <algorithm>

#include "lowbit/core/printable.h"

namespace lowbit::core {

std::string format_table(const std::vector<TableRow>& rows, size_t left_columns) {
  std::vector<TableRow> shown = rows;
  for (TableRow& row : shown)
    for (std::string& cell : row) cell = printable(cell);
  std::vector<size_t> widths(rows.front().size());
  for (const TableRow& row : shown)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const TableRow& row : shown) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i)
      line += i < left_columns ? fmt::format("{:<{}}  ", row[i], widths[i])
                               : fmt::format("{:>{}}  ", row[i], widths[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace lowbit::core
