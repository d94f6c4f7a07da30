// Fashion-MNIST's files with so few images that a test can train on them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "lowbit/core/files.h"

namespace lowbit::testing_support {

inline std::string big_endian(uint32_t number) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift & 0xff);
  return bytes;
}

// The two files of a split, `name` being train or t10k. Image i shows class i mod 10: a bright band
// in one of five places, in one of two brightnesses, on a dim pattern.
inline void write_small_set(const std::filesystem::path& folder, const std::string& name,
                            uint32_t count) {
  std::string images = big_endian(0x803) + big_endian(count) + big_endian(28) + big_endian(28);
  std::string labels = big_endian(0x801) + big_endian(count);
  for (uint32_t i = 0; i < count; ++i) {
    labels += static_cast<char>(i % 10);
    for (uint32_t pixel = 0; pixel < 28 * 28; ++pixel) {
      const uint32_t row = pixel / 28;
      const bool band = row >= 2 && (row - 2) / 5 == i % 5;
      const uint32_t brightness = i % 10 < 5 ? 250 : 120;
      images += static_cast<char>(band ? brightness : (pixel * 7 + i * 13) % 40);
    }
  }
  core::replace_file(folder / (name + "-images-idx3-ubyte"), images);
  core::replace_file(folder / (name + "-labels-idx1-ubyte"), labels);
}

}  // namespace lowbit::testing_support
