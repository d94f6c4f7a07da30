// The images of a data set as bytes, as a packed network takes them.
#pragma once

#include <torch/types.h>

#include <memory>

#include "lowbit/data/batches.h"

namespace lowbit::app {

class PixelSource {
 public:
  // Of a split of options.dataset in its validation form or, of Split::train, with the crops of
  // training, all decoded exactly. Errors as data::open_batches.
  PixelSource(config::DataOptions options, data::Split split);

  struct Batch {
    torch::Tensor pixels;  // uint8 [B, H, W, 3]
    torch::Tensor labels;  // int64 [B]
  };
  // Samples first .. first + count - 1 of the set's order.
  Batch fetch(int64_t first, int64_t count);

  int64_t size() const { return source_->size(); }
  const std::vector<std::string>& class_names() const { return source_->class_names(); }

 private:
  std::unique_ptr<data::BatchSource> source_;
};

// Those pixels as a network that was trained with this mean and standard deviation sees them:
// float32 [B, 3, H, W].
torch::Tensor normalized(const torch::Tensor& pixels, const config::DataOptions& options);

}  // namespace lowbit::app
