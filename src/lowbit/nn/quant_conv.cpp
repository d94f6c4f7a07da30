#include "lowbit/nn/quant_conv.h"

#include <algorithm>

#include "lowbit/nn/whole_numbers.h"

namespace lowbit::nn {
namespace {

torch::Tensor in_a_row(const std::vector<torch::Tensor>& tensors) {
  return tensors.size() == 1 ? tensors.front() : torch::cat(tensors);
}

}  // namespace

QuantConv2d::QuantConv2d(const ConvShape& shape, const config::ModelOptions& options,
                         bool full_precision)
    : Conv2d(shape), padding_after_quant_(options.padding_after_quant) {
  if (full_precision) return;
  add_input_quantizers(*this, options, shape.in, {shape.out, shape.in, shape.kernel, shape.kernel});
  add_output_quantizer(*this, options, shape.out);
}

// By definition the input is padded with zeros and then quantized, so that a padded zero becomes
// whatever level is nearest to 0. If the quantizer keeps zeros, quantizing first and letting the
// convolution pad is the same:
//   value: q(0) = 0, hence q(pad(x)) = pad(q(x));
//   gradient of x: that of pad only drops the border, and q acts on each element by itself;
//   gradient of a learned clip value c, a sum over the elements: the border adds
//   grad_y * (q(0)/c - 0/c) = 0 each.
// It then costs no copy.
bool QuantConv2d::pads_before_quantizing() const {
  return quantizer(config::Tag::fm) && shape().padding > 0 && !padding_after_quant_ &&
         !quantizer(config::Tag::fm)->keeps_zero();
}

QuantConv2d::Features QuantConv2d::quantized_input(const torch::Tensor& x) const {
  Features features{x, shape().padding};
  if (pads_before_quantizing()) {
    const int64_t padding = shape().padding;
    features = {torch::constant_pad_nd(x, {padding, padding, padding, padding}), 0};
  }
  if (const auto& quantizer = this->quantizer(config::Tag::fm))
    features.tensor = quantizer->forward(features.tensor, x.scalar_type());
  return features;
}

torch::Tensor QuantConv2d::quantized_weight(torch::ScalarType type) {
  const auto& quantizer = this->quantizer(config::Tag::wt);
  return quantizer ? quantizer->forward(weight(), type) : weight().to(type);
}

torch::Tensor QuantConv2d::convolve_quantized(const std::vector<QuantConv2d*>& convs,
                                              const Features& features,
                                              const std::vector<torch::Tensor>& weights,
                                              int64_t groups) {
  const QuantConv2d& first = *convs.front();
  const torch::ScalarType type = features.tensor.scalar_type();
  const auto in_floats = [&] {
    return first.convolve(features.tensor, in_a_row(weights).to(type), first.bias(type),
                          features.padding, groups);
  };
  const auto x = whole_numbers(first.quantizer(config::Tag::fm).get(), features.tensor);
  if (!x || weights.front().scalar_type() != type) return in_floats();
  std::vector<torch::Tensor> numbers, units;
  for (size_t i = 0; i < convs.size(); ++i) {
    const auto w = whole_numbers(convs[i]->quantizer(config::Tag::wt).get(), weights[i]);
    if (!w) return in_floats();
    numbers.push_back(w->numbers);
    units.push_back(w->unit);
  }
  torch::Tensor sums =
      first.convolve(x->numbers, in_a_row(numbers), /*bias=*/{}, features.padding, groups);
  // Libraries for GPUs may choose an algorithm that transforms its inputs.
  if (sums.is_cuda()) sums.round_();
  sums.mul_((x->unit * in_a_row(units)).to(type).view({1, -1, 1, 1}));
  const torch::Tensor bias = first.bias(type);
  return bias.defined() ? sums.add_(bias.view({1, -1, 1, 1})) : sums;
}

torch::Tensor QuantConv2d::convolve_features(const Features& features) {
  const torch::ScalarType type = features.tensor.scalar_type();
  const torch::Tensor y =
      convolve_quantized({this}, features, {quantized_weight(type)}, shape().groups);
  return quantizer(config::Tag::ot) ? quantizer(config::Tag::ot)->forward(y, type) : y;
}

torch::Tensor QuantConv2d::compute(const torch::Tensor& x) {
  return convolve_features(quantized_input(x));
}

std::optional<quant::Quantizer::FeatureForm> QuantConv2d::input_form() const {
  const auto& quantizer = this->quantizer(config::Tag::fm);
  if (!quantizer || is_probed() || pads_before_quantizing()) return std::nullopt;
  return quantizer->feature_form();
}

torch::Tensor QuantConv2d::forward_quantized(const torch::Tensor& x) {
  return convolve_features({x, shape().padding});
}

bool QuantConv2d::can_join(const std::vector<QuantConv2d*>& convs) {
  const QuantConv2d& first = *convs.front();
  const auto& first_fm = first.quantizer(config::Tag::fm);
  return std::ranges::all_of(convs, [&](const QuantConv2d* conv) {
    const auto& fm = conv->quantizer(config::Tag::fm);
    const auto& wt = conv->quantizer(config::Tag::wt);
    if (conv->is_probed() || (fm && fm->is_probed()) || (wt && wt->is_probed())) return false;
    if (conv->shape() != first.shape() || conv->shape().groups != 1 || conv->shape().bias ||
        conv->quantizer(config::Tag::ot))
      return false;
    if (!fm || !first_fm) return !fm && !first_fm;
    return fm->is_fixed_function() && fm->options() == first_fm->options();
  });
}

torch::Tensor QuantConv2d::forward_joined(const std::vector<QuantConv2d*>& convs,
                                          const torch::Tensor& x, int64_t groups) {
  // Cast together, so that the gradients are cast together, too.
  const torch::ScalarType master = convs.front()->weight().scalar_type();
  std::vector<torch::Tensor> weights;
  for (QuantConv2d* conv : convs) weights.push_back(conv->quantized_weight(master));
  return convolve_quantized(convs, convs.front()->quantized_input(x), weights, groups);
}

}  // namespace lowbit::nn
