#include "lowbit/nn/quant_conv.h"

namespace lowbit::nn {

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

torch::Tensor QuantConv2d::compute(const torch::Tensor& x) {
  const torch::ScalarType type = x.scalar_type();
  torch::Tensor features = x;
  int64_t padding = shape().padding;
  if (pads_before_quantizing()) {
    features = torch::constant_pad_nd(features, {padding, padding, padding, padding});
    padding = 0;
  }
  if (quantizer(config::Tag::fm)) features = quantizer(config::Tag::fm)->forward(features, type);
  const torch::Tensor quantized = quantizer(config::Tag::wt)
                                      ? quantizer(config::Tag::wt)->forward(weight(), type)
                                      : weight().to(type);
  const torch::Tensor y = convolve(features, quantized, padding);
  return quantizer(config::Tag::ot) ? quantizer(config::Tag::ot)->forward(y, type) : y;
}

}  // namespace lowbit::nn
