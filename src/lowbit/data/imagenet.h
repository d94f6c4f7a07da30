// ImageNet, and every set that lies as it does: a folder of pictures for each class.
#pragma once

#include "lowbit/data/dataset.h"
#include "lowbit/data/image_folder.h"

namespace lowbit::data {

// options.root/train/<class>/* or options.root/val/<class>/*; empty root: ./data/imagenet. The list
// is kept in user_cache(). An Error (failure) as ImageFolder says, and where both splits are there
// and their classes differ.
ImageFolder list_images(const config::DataOptions& options, Split split);

void require_images(const config::DataOptions& options, Split split);

}  // namespace lowbit::data
