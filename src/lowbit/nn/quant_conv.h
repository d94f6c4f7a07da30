// A convolution whose input, weight and output may be quantized.
#pragma once

#include "lowbit/nn/conv.h"
#include "lowbit/nn/quant_layer.h"

namespace lowbit::nn {

class QuantConv2d : public Conv2d, public QuantLayer {
 public:
  // full_precision: without quantizers, whatever the options say (keyword real_skip).
  QuantConv2d(const ConvShape& shape, const config::ModelOptions& options,
              bool full_precision = false);

  torch::Tensor& weight() override { return Conv2d::weight(); }
  const std::string& layer_path() const override { return path(); }

  // The quantizer of the input where it is all that happens to the input before the convolution,
  // and nobody watches the layer; see Quantizer::feature_form.
  std::optional<quant::Quantizer::FeatureForm> input_form() const;
  // forward(), of what that quantizer has given.
  torch::Tensor forward_quantized(const torch::Tensor& x);

  // Whether forward_joined computes what these compute one by one: equal shapes without groups and
  // bias, and inputs that all quantize by one fixed function.
  static bool can_join(const std::vector<QuantConv2d*>& convs);
  // Convolutions next to each other: their outputs follow each other as channels. groups 1: all see
  // x; convs.size(): each sees its own channels of x, in order. Needs can_join().
  static torch::Tensor forward_joined(const std::vector<QuantConv2d*>& convs,
                                      const torch::Tensor& x, int64_t groups);

 protected:
  torch::Tensor compute(const torch::Tensor& x) override;

 private:
  // What is convolved with the weight, and the padding that is left to do.
  struct Features {
    torch::Tensor tensor;
    int64_t padding;
  };

  // Of quantized features with the quantized weights of `convs`, one after the other, [O, I, k, k]
  // each, of the master's type.
  static torch::Tensor convolve_quantized(const std::vector<QuantConv2d*>& convs,
                                          const Features& features,
                                          const std::vector<torch::Tensor>& weights,
                                          int64_t groups);
  // With this layer's quantized weight, and then its output quantizer.
  torch::Tensor convolve_features(const Features& features);
  bool pads_before_quantizing() const;
  Features quantized_input(const torch::Tensor& x) const;
  torch::Tensor quantized_weight(torch::ScalarType type);

  bool padding_after_quant_;
};

}  // namespace lowbit::nn
