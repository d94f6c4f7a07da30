#include "lowbit/nn/quant_linear.h"

#include <cmath>

namespace lowbit::nn {

QuantLinear::QuantLinear(int64_t in, int64_t out, const config::ModelOptions& options,
                         bool full_precision) {
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  weight_ = register_parameter("weight", torch::empty({out, in}).uniform_(-bound, bound));
  bias_ = register_parameter("bias", torch::empty({out}).uniform_(-bound, bound));
  if (!full_precision) add_quantizers(*this, options, in, out, {1, 1, out, in});
}

torch::Tensor QuantLinear::compute(const torch::Tensor& x) {
  const torch::ScalarType type = weight_.scalar_type();
  torch::Tensor features = x.to(type);
  if (activation_quantizer_) features = activation_quantizer_->forward(features, type);
  const torch::Tensor quantized =
      weight_quantizer_ ? weight_quantizer_->forward(weight_, type) : weight_;
  const torch::Tensor y = torch::linear(features, quantized, bias_);
  return output_quantizer_ ? output_quantizer_->forward(y, type) : y;
}

}  // namespace lowbit::nn
