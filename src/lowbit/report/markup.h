// Text, images and numbers as HTML takes them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lowbit::report {

// As text and within quoted attributes: & < > " ' become entities; what HTML does not admit (bytes
// that are not UTF-8, control characters) is shown as core/printable.h does.
std::string escaped(std::string_view text);

// "12.3"; "–" for what is no number.
std::string number(double value, int decimals);
// Three significant digits: "0.00123", "1.5e+06"; "–" for what is no number.
std::string short_number(double value);
// 0..1 as "12.3 %".
std::string percent(double share);

// pixels: RGB, row after row, 3 * width * height bytes. A data URI for the src of an image.
std::string png_data_uri(const uint8_t* pixels, int width, int height);

std::string base64(std::string_view bytes);

}  // namespace lowbit::report
