// Text as a terminal or a log may show it: names in files can hold escape sequences, line breaks
// that forge a line, or bytes of no encoding.
#pragma once

#include <string>
#include <string_view>

namespace lowbit::core {

// `text` on one line: control characters (C0, DEL, C1), line and paragraph separators, characters
// that reorder or hide text (bidirectional controls, zero-width characters, tags) and bytes that
// are not UTF-8 appear as \n, \r, \t, \x1b or \u202e. All other text, backslashes among it, stays.
std::string printable(std::string_view text);

// The same, but line feeds stay: for text whose lines the program itself has broken.
std::string printable_lines(std::string_view text);

}  // namespace lowbit::core
