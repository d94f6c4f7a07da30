// Compressed pictures as pixels: JPEG and PNG, as PIL's convert("RGB") gives them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

namespace lowbit::data {

struct Image {
  int64_t height = 0, width = 0;  // pixels
  std::vector<uint8_t> pixels;    // [height, width, 3]: rows from the top, red, green, blue
};

// More pixels than any photograph has: a file that claims them is damaged or hostile.
inline constexpr int64_t kMostPixels = int64_t{1} << 28;

// The format is that of the first bytes, whatever the file is called. Grey, palette and CMYK
// become red, green, blue; transparency and the lower half of 16 bits are dropped. An Error
// (failure) that says what is wrong if the picture is cut off, damaged, of another format or has
// more than kMostPixels.
Image decode_image(std::string_view bytes);

// The same for a file, which the error names.
Image read_image(const std::filesystem::path& path);

}  // namespace lowbit::data
