// Makes the file that packed_images reads.
#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include "lowbit/data/packed_index.h"
#include "lowbit/data/verify.h"

namespace lowbit::data {

struct PackOptions {
  PackedFormat format = PackedFormat::files;
  int64_t side = 0;           // pixels that the shorter side of every picture gets; 0: as it is
  int quality = 95;           // 1..100, of pictures that are compressed anew
  bool skip_damaged = false;  // leaves them out
  int threads = 1;            // that decode and encode, at least 1
};

struct Packed {
  int64_t train = 0, validation = 0;  // pictures
  size_t classes = 0;
  std::vector<BadImage> left_out;
};

// Writes the images of `root` (a folder or such a file, as data set imagenet has them; one split
// may be missing) to the new file `path`. As they are, files stay byte for byte what they were. The
// same images give the same file, with any number of threads; each of these holds one image at a
// time. `progress` is told from time to time how many of all images are done, by one thread at a
// time. An Error (failure): `path` exists already; `root` cannot be read; the first damaged image,
// by its name; the disk is full; an interrupt (core/interrupt.h).
Packed pack_images(const std::filesystem::path& root, const std::filesystem::path& path,
                   const PackOptions& options,
                   const std::function<void(size_t done, size_t all)>& progress);

}  // namespace lowbit::data
