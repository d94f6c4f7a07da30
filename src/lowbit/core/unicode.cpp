#include "lowbit/core/unicode.h"

#include <bit>

namespace lowbit::core {
namespace {

constexpr uint32_t kFirstSurrogate = 0xd800, kLastSurrogate = 0xdfff;
// Of the byte 0x80; that of the byte b is this + b - 0x80.
constexpr uint32_t kFirstEscape = 0xdc80, kLastEscape = 0xdcff;

bool is_escape(uint32_t code) {
  return code >= kFirstEscape && code <= kLastEscape;
}

}  // namespace

std::optional<uint32_t> take_code_point(std::string_view& text, bool surrogates) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const int ones = std::countl_one(byte(0));
  if (ones == 1 || ones > 4) return {};
  const size_t bytes = ones == 0 ? 1 : static_cast<size_t>(ones);
  if (bytes > text.size()) return {};
  uint32_t code = bytes == 1 ? byte(0) : byte(0) & (0x7fu >> ones);
  for (size_t i = 1; i < bytes; ++i) {
    if (std::countl_one(byte(i)) != 1) return {};
    code = code << 6 | (byte(i) & 0x3fu);
  }
  static constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kSmallest[bytes] || code > 0x10ffff) return {};
  if (!surrogates && code >= kFirstSurrogate && code <= kLastSurrogate) return {};
  text.remove_prefix(bytes);
  return code;
}

bool is_utf8(std::string_view text, bool surrogates) {
  while (!text.empty())
    if (!take_code_point(text, surrogates)) return false;
  return true;
}

std::string python_text(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::string_view before = bytes;
    const std::optional<uint32_t> code = take_code_point(bytes, /*surrogates=*/true);
    if (code && !is_escape(*code)) {
      text += before.substr(0, before.size() - bytes.size());
      continue;
    }
    const auto byte = static_cast<uint8_t>(before.front());
    text += '\xed';
    text += static_cast<char>(0xb0 | byte >> 6);
    text += static_cast<char>(0x80 | (byte & 0x3f));
    bytes = before.substr(1);
  }
  return text;
}

std::string bytes_of_python_text(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  while (!text.empty()) {
    const std::string_view before = text;
    const std::optional<uint32_t> code = take_code_point(text, /*surrogates=*/true);
    if (code && is_escape(*code)) {
      bytes += static_cast<char>(*code - kFirstEscape + 0x80);
      continue;
    }
    if (!code) text.remove_prefix(1);
    bytes += before.substr(0, before.size() - text.size());
  }
  return bytes;
}

}  // namespace lowbit::core
