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

 protected:
  torch::Tensor compute(const torch::Tensor& x) override;

 private:
  bool pads_before_quantizing() const;

  bool padding_after_quant_;
};

}  // namespace lowbit::nn
