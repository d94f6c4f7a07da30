#include "lowbit/core/printable.h"

#include <fmt/format.h>

#include "lowbit/core/unicode.h"

namespace lowbit::core {
namespace {

bool is_hidden(uint32_t code) {
  constexpr struct {
    uint32_t first, last;
  } kHidden[] = {
      {0x00, 0x1F},       {0x7F, 0x9F},      // controls
      {0x061C, 0x061C},   {0x200E, 0x200F},  // marks of direction
      {0x200B, 0x200B},                      // zero-width space; joiners belong to scripts
      {0x2028, 0x202E},                      // separators, bidirectional embeddings, overrides
      {0x2060, 0x206F},   {0xFEFF, 0xFEFF},  // invisible operators, isolates, byte order mark
      {0xFFF9, 0xFFFB},                      // interlinear annotations
      {0xE0000, 0xE007F},                    // tags
  };
  for (const auto& range : kHidden)
    if (code >= range.first && code <= range.last) return true;
  return false;
}

std::string escaped(uint32_t code) {
  switch (code) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return code < 0x80      ? fmt::format("\\x{:02x}", code)
             : code < 0x10000 ? fmt::format("\\u{:04x}", code)
                              : fmt::format("\\U{:08x}", code);
  }
}

std::string shown(std::string_view text, bool keep_line_feeds) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::string_view before = text;
    const std::optional<uint32_t> code = take_code_point(text);
    if (!code) text.remove_prefix(1);
    if (!code)
      result += fmt::format("\\x{:02x}", static_cast<uint8_t>(before.front()));
    else if (is_hidden(*code) && !(*code == '\n' && keep_line_feeds))
      result += escaped(*code);
    else
      result += before.substr(0, before.size() - text.size());
  }
  return result;
}

}  // namespace

std::string printable(std::string_view text) {
  return shown(text, false);
}

std::string printable_lines(std::string_view text) {
  return shown(text, true);
}

}  // namespace lowbit::core
