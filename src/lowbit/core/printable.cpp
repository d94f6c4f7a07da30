#include "lowbit/core/printable.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>

namespace lowbit::core {
namespace {

struct Character {
  uint32_t code;  // Unicode code point, or the byte itself if it begins no UTF-8 sequence
  size_t bytes;   // 0: not UTF-8
};

// Decodes the first character as the Unicode standard's table of well-formed sequences has it: no
// overlong forms, no surrogates, nothing above U+10FFFF.
Character first_character(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return {lead, 0};
  uint32_t code = lead & (0xFFu >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {lead, 0};
    code = code << 6 | (byte(i) & 0x3Fu);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (overlong || surrogate || code > 0x10FFFF) return {lead, 0};
  return {code, length};
}

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
    const auto [code, bytes] = first_character(text);
    if (bytes == 0)
      result += fmt::format("\\x{:02x}", code);
    else if (is_hidden(code) && !(code == '\n' && keep_line_feeds))
      result += escaped(code);
    else
      result += text.substr(0, bytes);
    text.remove_prefix(bytes == 0 ? 1 : bytes);
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
