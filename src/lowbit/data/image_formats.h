// One decoder per format; see decode_image.
#pragma once

#include "lowbit/data/image.h"

namespace lowbit::data {

Image decode_jpeg(std::string_view bytes);
Image decode_png(std::string_view bytes);

// An Error (failure) for a size that no picture has.
void check_size(uint64_t height, uint64_t width);

}  // namespace lowbit::data
