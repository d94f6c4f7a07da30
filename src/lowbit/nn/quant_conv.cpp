#include "lowbit/nn/quant_conv.h"

#include "lowbit/quant/factory.h"

namespace lowbit::nn {

QuantConv2d::QuantConv2d(const ConvShape& shape, const config::ModelOptions& options,
                         bool full_precision)
    : Conv2d(shape), padding_after_quant_(options.padding_after_quant) {
  if (full_precision) return;
  const auto make = [&](const char* name, config::Tag tag, std::array<int64_t, 4> tensor_shape) {
    auto quantizer = quant::make_quantizer(
        {tag, tensor_shape, options.batch_size, options.input_size}, options.tag(tag));
    return quantizer ? register_module(name, quantizer) : quantizer;
  };
  activation_ = make("quant_activation", config::Tag::fm, {1, shape.in, 1, 1});
  weight_quantizer_ =
      make("quant_weight", config::Tag::wt, {shape.out, shape.in, shape.kernel, shape.kernel});
  output_ = make("quant_output", config::Tag::ot, {1, shape.out, 1, 1});
}

const std::shared_ptr<quant::Quantizer>& QuantConv2d::quantizer(config::Tag tag) const {
  return tag == config::Tag::fm   ? activation_
         : tag == config::Tag::wt ? weight_quantizer_
                                  : output_;
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
  return activation_ && shape().padding > 0 && !padding_after_quant_ && !activation_->keeps_zero();
}

torch::Tensor QuantConv2d::compute(const torch::Tensor& x) {
  const torch::ScalarType type = x.scalar_type();
  torch::Tensor features = x;
  int64_t padding = shape().padding;
  if (pads_before_quantizing()) {
    features = torch::constant_pad_nd(features, {padding, padding, padding, padding});
    padding = 0;
  }
  if (activation_) features = activation_->forward(features, type);
  const torch::Tensor quantized =
      weight_quantizer_ ? weight_quantizer_->forward(weight(), type) : weight().to(type);
  const torch::Tensor y = convolve(features, quantized, padding);
  return output_ ? output_->forward(y, type) : y;
}

}  // namespace lowbit::nn
