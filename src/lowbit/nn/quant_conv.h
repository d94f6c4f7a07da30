// A convolution whose input, weight and output may be quantized.
#pragma once

#include "lowbit/config/model_options.h"
#include "lowbit/nn/conv.h"
#include "lowbit/quant/quantizer.h"

namespace lowbit::nn {

// Children quant_activation, quant_weight, quant_output: those whose tag is enabled.
class QuantConv2d : public Conv2d {
 public:
  // full_precision: without quantizers, whatever the options say (keyword real_skip).
  QuantConv2d(const ConvShape& shape, const config::ModelOptions& options,
              bool full_precision = false);

  // Null where the tag is not enabled.
  const std::shared_ptr<quant::Quantizer>& quantizer(config::Tag tag) const;

 protected:
  torch::Tensor compute(const torch::Tensor& x) override;

 private:
  bool pads_before_quantizing() const;

  bool padding_after_quant_;
  std::shared_ptr<quant::Quantizer> activation_, weight_quantizer_, output_;
};

}  // namespace lowbit::nn
