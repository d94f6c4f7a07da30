// ImageNet, and every set that lies as it does: a folder of pictures for each class.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lowbit/data/dataset.h"
#include "lowbit/data/picture_set.h"

namespace lowbit::data {

// options.root/train/<class>/* or options.root/val/<class>/*; empty root: ./data/imagenet. The list
// is kept in user_cache(). Or the split of the file options.root, as PackedImages. An Error
// (failure) as these say, where the split is not there, and where both are and their classes
// differ.
std::unique_ptr<const PictureSet> open_pictures(const config::DataOptions& options, Split split);

// Whether the folder or file has the split at all. An Error (failure) for a damaged file.
bool has_images(const config::DataOptions& options, Split split);

// The names of its classes, without a list of the pictures.
std::vector<std::string> image_classes(const config::DataOptions& options, Split split);

void require_images(const config::DataOptions& options, Split split);

}  // namespace lowbit::data
