// A linear layer whose input and weight may be quantized.
#pragma once

#include "lowbit/nn/linear.h"
#include "lowbit/nn/quant_layer.h"

namespace lowbit::nn {

class QuantLinear : public Linear, public QuantLayer {
 public:
  QuantLinear(int64_t in, int64_t out, const config::ModelOptions& options);

  torch::Tensor& weight() override { return weight_; }
  const std::string& layer_path() const override { return path(); }

 protected:
  torch::Tensor compute(const torch::Tensor& x) override;
};

}  // namespace lowbit::nn
