// Pictures that cannot be decoded, found before a run finds them.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace lowbit::data {

struct BadImage {
  std::filesystem::path path;
  std::string reason;
};

// Decodes every file on `threads` >= 1 threads; those that cannot be, in the order of `files`.
// `progress` is told from time to time how many are done, by one thread at a time.
std::vector<BadImage> find_bad_images(std::span<const std::filesystem::path> files, int threads,
                                      const std::function<void(size_t done)>& progress);

}  // namespace lowbit::data
