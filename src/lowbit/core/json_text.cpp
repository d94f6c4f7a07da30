#include "lowbit/core/json_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "lowbit/core/unicode.h"

// The library neither writes nor reads the escape of a lone surrogate. So a byte that is not UTF-8
// passes through it as a stand-in, a character of a private plane (U+10DC80 for \udc80), which
// UTF-8 spells in 4 bytes, the last two of them as in the surrogate. A text that holds such a
// character has its bytes escaped one by one: none is taken for another.
namespace lowbit::core {
namespace {

using nlohmann::json;

constexpr std::string_view kStandIn = "\xf4\x8d";  // and the third byte 0xb2 or 0xb3
constexpr uint32_t kFirstStandIn = 0x10dc80, kLastStandIn = 0x10dcff;

bool is_stand_in(uint32_t code) {
  return code >= kFirstStandIn && code <= kLastStandIn;
}

std::string stand_in(uint8_t byte) {
  std::string text(kStandIn);
  text += static_cast<char>(0xb0 | byte >> 6);
  return text += static_cast<char>(0x80 | (byte & 0x3f));
}

std::string with_stand_ins(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const std::string_view before = bytes;
    const std::optional<uint32_t> code = take_code_point(bytes);
    if (code && !is_stand_in(*code)) {
      text += before.substr(0, before.size() - bytes.size());
    } else {
      text += stand_in(static_cast<uint8_t>(before.front()));
      bytes = before.substr(1);
    }
  }
  return text;
}

// Calls see(byte) for each stand-in of `text` and other(piece) for what is between.
void visit_stand_ins(std::string_view text, const auto& see, const auto& other) {
  while (!text.empty()) {
    const size_t next = std::min(text.find(kStandIn), text.size());
    other(text.substr(0, next));
    text.remove_prefix(next);
    if (text.empty()) break;
    const std::string_view before = text;
    const std::optional<uint32_t> code = take_code_point(text);
    if (code && is_stand_in(*code)) {
      see(static_cast<uint8_t>(*code - kFirstStandIn + 0x80));
    } else {
      text = before.substr(1);
      other(before.substr(0, 1));
    }
  }
}

json replaced(const json& value) {
  if (value.is_string()) return with_stand_ins(value.get_ref<const std::string&>());
  json result = value;
  if (value.is_structured())
    for (auto item = result.begin(); item != result.end(); ++item) *item = replaced(*item);
  return result;
}

// The code of "\\u1234" at the front of `text`; nothing if that is no such escape.
std::optional<uint32_t> escaped_code(std::string_view text) {
  uint32_t code = 0;
  if (text.size() < 6 || !text.starts_with("\\u")) return {};
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + 6, code, 16);
  if (error != std::errc() || end != text.data() + 6) return {};
  return code;
}

std::string with_stand_ins_for_escapes(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const size_t next = std::min(text.find('\\'), text.size());
    result += text.substr(0, next);
    text.remove_prefix(next);
    if (text.empty()) break;
    const std::optional<uint32_t> code = escaped_code(text);
    size_t length = code ? 6 : 2;
    if (code && *code >= 0xdc80 && *code <= 0xdcff)
      result += stand_in(static_cast<uint8_t>(*code & 0xff));
    else {
      // The second half of a pair is no byte.
      if (code && *code >= 0xd800 && *code <= 0xdbff) length = 12;
      result += text.substr(0, length);
    }
    text.remove_prefix(std::min(length, text.size()));
  }
  return result;
}

}  // namespace

std::string json_text(const json& value, int indent) {
  std::string text;
  visit_stand_ins(
      replaced(value).dump(indent), [&](uint8_t byte) { text += fmt::format("\\udc{:02x}", byte); },
      [&](std::string_view piece) { text += piece; });
  return text;
}

json parse_json(std::string_view text) {
  return json::parse(with_stand_ins_for_escapes(text), [](int, json::parse_event_t, json& value) {
    if (value.is_string()) {
      std::string bytes;
      visit_stand_ins(
          value.get_ref<const std::string&>(),
          [&](uint8_t byte) { bytes += static_cast<char>(byte); },
          [&](std::string_view piece) { bytes += piece; });
      value = bytes;
    }
    return true;
  });
}

}  // namespace lowbit::core
