#include "lowbit/nn/quant_linear.h"

#include "lowbit/nn/whole_numbers.h"

namespace lowbit::nn {

QuantLinear::QuantLinear(int64_t in, int64_t out, const config::ModelOptions& options)
    : Linear(in, out) {
  add_input_quantizers(*this, options, in, {1, 1, out, in});
}

// Quantizers see features as maps of one pixel, and the weight in the shape that their groups are
// defined by.
torch::Tensor QuantLinear::compute(const torch::Tensor& x) {
  const torch::ScalarType type = weight_.scalar_type();
  const auto &fm = quantizer(config::Tag::fm), &wt = quantizer(config::Tag::wt);
  torch::Tensor features = x.to(type), weight = weight_;
  if (fm) features = fm->forward(features.unflatten(1, {-1, 1, 1}), type).flatten(1);
  if (wt) weight = wt->forward(weight_.view({1, 1, weight_.size(0), weight_.size(1)}), type);
  const auto in = whole_numbers(fm.get(), features);
  const auto w = in ? whole_numbers(wt.get(), weight) : std::nullopt;
  if (!w) return torch::linear(features, weight.view_as(weight_), bias_);
  const torch::Tensor sums = torch::linear(in->numbers, w->numbers.view_as(weight_));
  return sums * (in->unit * w->unit).to(type) + bias_;
}

}  // namespace lowbit::nn
