#include "lowbit/report/markup.h"

#include <fmt/format.h>
#include <png.h>

#include <cmath>

#include "lowbit/core/error.h"
#include "lowbit/core/printable.h"

namespace lowbit::report {
namespace {

constexpr const char* kNoNumber = "–";

}  // namespace

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : core::printable_lines(text)) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

std::string number(double value, int decimals) {
  return std::isfinite(value) ? fmt::format("{:.{}f}", value, decimals) : kNoNumber;
}

std::string short_number(double value) {
  return std::isfinite(value) ? fmt::format("{:.3g}", value) : kNoNumber;
}

std::string percent(double share) {
  if (!std::isfinite(share)) return kNoNumber;
  return fmt::format("{:.{}f} %", 100 * share, share < 0.1 ? 2 : 1);
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string result;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k)
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k)
      result += i + k <= bytes.size() ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return result;
}

std::string png_data_uri(const uint8_t* pixels, int width, int height) {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(width);
  image.height = static_cast<png_uint_32>(height);
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = 0;
  const auto write = [&](void* to) {
    if (!png_image_write_to_memory(&image, to, &size, 0, pixels, 0, nullptr))
      throw core::failure("cannot write an image as PNG: {}", image.message);
  };
  write(nullptr);
  std::string bytes(size, '\0');
  write(bytes.data());
  bytes.resize(size);
  return "data:image/png;base64," + base64(bytes);
}

}  // namespace lowbit::report
