// Pictures that cannot be decoded, found before a run finds them.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lowbit/data/picture_set.h"

namespace lowbit::data {

struct BadImage {
  std::string name;
  std::string reason;
};

// What is looked at: images 0 .. count - 1.
struct ImagesToVerify {
  size_t count = 0;
  std::function<std::string(size_t)> name;
  std::function<void(size_t)> decode;  // an Error says why that is impossible: require_whole
};
ImagesToVerify images_of(std::vector<std::filesystem::path> files);
ImagesToVerify images_of(std::shared_ptr<const PictureSet> pictures);

// Decodes every image on `threads` >= 1 threads; those that cannot be, in their order. `progress`
// is told from time to time how many are done, by one thread at a time.
std::vector<BadImage> find_bad_images(const ImagesToVerify& images, int threads,
                                      const std::function<void(size_t done)>& progress);

}  // namespace lowbit::data
