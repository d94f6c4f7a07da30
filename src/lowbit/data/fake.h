// Random images that need no file: to try a model or measure a step.
#pragma once

#include "lowbit/data/dataset.h"

namespace lowbit::data {

// 100,000 samples of options.input_size pixels a side; the label is the index modulo
// options.num_classes. At most 256 MiB of distinct images, shown again and again. The splits
// differ.
ImageSet load_fake(const config::DataOptions& options, Split split);

void require_fake(const config::DataOptions& options, Split split);

}  // namespace lowbit::data
