// Channels repeated.
#pragma once

#include "lowbit/nn/layer.h"

namespace lowbit::nn {

// x [B, C, H, W] -> [B, times * C, H, W]: channel j of the result is channel j mod C.
class RepeatChannels : public Layer {
 public:
  explicit RepeatChannels(int64_t times) : times_(times) {}

 protected:
  // Unlike repeat(), cat() keeps channels-last.
  torch::Tensor compute(const torch::Tensor& x) override {
    return torch::cat(std::vector<torch::Tensor>(static_cast<size_t>(times_), x), 1);
  }

 private:
  int64_t times_;
};

}  // namespace lowbit::nn
