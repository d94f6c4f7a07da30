// A linear layer whose input and weight may be quantized.
#pragma once

#include "lowbit/nn/layer.h"
#include "lowbit/nn/quant_layer.h"

namespace lowbit::nn {

// x [B, in] -> [B, out], both of the type of the master weights: half-precision features are
// widened, which is cheaper than casting the weights and gives float32 logits.
class QuantLinear : public Layer, public QuantLayer {
 public:
  // weight [out, in] and bias [out]: uniform within 1 / sqrt(in). full_precision: without
  // quantizers, whatever the options say.
  QuantLinear(int64_t in, int64_t out, const config::ModelOptions& options,
              bool full_precision = false);

  torch::Tensor& weight() override { return weight_; }
  const std::string& layer_path() const override { return path(); }

 protected:
  torch::Tensor compute(const torch::Tensor& x) override;

 private:
  torch::Tensor weight_, bias_;
};

}  // namespace lowbit::nn
