// A linear layer in full precision.
#pragma once

#include <cmath>

#include "lowbit/nn/layer.h"

namespace lowbit::nn {

// x [B, in] -> [B, out], both of the type of the master weights: half-precision features are
// widened, which is cheaper than casting the weights and gives float32 logits.
class Linear : public Layer {
 public:
  // weight [out, in] and bias [out]: uniform within 1 / sqrt(in).
  Linear(int64_t in, int64_t out) {
    const double bound = 1 / std::sqrt(static_cast<double>(in));
    weight_ = register_parameter("weight", torch::empty({out, in}).uniform_(-bound, bound));
    bias_ = register_parameter("bias", torch::empty({out}).uniform_(-bound, bound));
  }

 protected:
  torch::Tensor compute(const torch::Tensor& x) override {
    return torch::linear(x.to(weight_.scalar_type()), weight_, bias_);
  }

  torch::Tensor weight_, bias_;
};

}  // namespace lowbit::nn
