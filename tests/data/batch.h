// A batch as the tests look at it.
#pragma once

#include <torch/types.h>

namespace lowbit::data {

struct Batch {
  torch::Tensor images, targets;
};

}  // namespace lowbit::data
