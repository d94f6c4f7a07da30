#include "lowbit/nn/quant_linear.h"

namespace lowbit::nn {

QuantLinear::QuantLinear(int64_t in, int64_t out, const config::ModelOptions& options)
    : Linear(in, out) {
  add_input_quantizers(*this, options, in, {1, 1, out, in});
}

// Quantizers see features as maps of one pixel, and the weight in the shape that their groups are
// defined by.
torch::Tensor QuantLinear::compute(const torch::Tensor& x) {
  const torch::ScalarType type = weight_.scalar_type();
  torch::Tensor features = x.to(type);
  if (quantizer(config::Tag::fm))
    features =
        quantizer(config::Tag::fm)->forward(features.unflatten(1, {-1, 1, 1}), type).flatten(1);
  if (!quantizer(config::Tag::wt)) return torch::linear(features, weight_, bias_);
  const torch::Tensor quantized =
      quantizer(config::Tag::wt)
          ->forward(weight_.view({1, 1, weight_.size(0), weight_.size(1)}), type);
  return torch::linear(features, quantized.view_as(weight_), bias_);
}

}  // namespace lowbit::nn
