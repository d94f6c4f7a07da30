// One decoder per format; see open_picture.
#pragma once

#include "lowbit/data/image.h"

namespace lowbit::data {

std::unique_ptr<Picture> open_jpeg(std::string_view bytes);
std::unique_ptr<Picture> open_png(std::string_view bytes);

// An Error (failure) for a size that no picture has.
void check_size(uint64_t height, uint64_t width);

}  // namespace lowbit::data
