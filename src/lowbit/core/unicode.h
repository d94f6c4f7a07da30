// Text that may not be UTF-8. File names, options and lines of files are bytes, mostly UTF-8, and
// stay bytes within the program. Here is the one rule for what formats make of them:
//
// * Pickles hold Python's str. A byte that is no part of UTF-8 becomes a surrogate, U+DC80..U+DCFF,
//   as os.fsdecode() has it (surrogateescape): names come back as they were, here and in Python.
// * JSON escapes the same surrogates (core/json_text.h), as Python's json.dumps() does.
// * Formats that admit nothing but UTF-8 and are read by people show the byte (core/printable.h).
// * Config files, CSV and packed networks hold the bytes as they are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lowbit::core {

// The Unicode code point at the front of `text`, which is shortened by it; nothing, and `text` as
// it was, if no well-formed sequence begins there: overlong forms and what is beyond U+10FFFF are
// none. Surrogates, which UTF-8 forbids, pass with `surrogates` alone. `text` is not empty.
std::optional<uint32_t> take_code_point(std::string_view& text, bool surrogates = false);

bool is_utf8(std::string_view text, bool surrogates = false);

// Bytes as a pickle holds them: UTF-8 in which surrogates stand for the bytes that are not UTF-8.
std::string python_text(std::string_view bytes);

// The inverse. Other surrogates than those of python_text() stay, each as three bytes.
std::string bytes_of_python_text(std::string_view text);

}  // namespace lowbit::core
