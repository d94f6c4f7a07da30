// First and last layer of the families in which the keyword first-last quantizes them; otherwise
// they stay full precision and have no index in policy files.
#pragma once

#include "lowbit/nn/linear.h"
#include "lowbit/nn/quant_conv.h"
#include "lowbit/nn/quant_linear.h"

namespace lowbit::models {

inline nn::LayerPtr make_first_conv(const nn::ConvShape& shape,
                                    const config::ModelOptions& options) {
  if (options.first_last) return std::make_shared<nn::QuantConv2d>(shape, options);
  return std::make_shared<nn::Conv2d>(shape);
}

// [B, in] -> [B, classes]
inline nn::LayerPtr make_last_linear(int64_t in, const config::ModelOptions& options) {
  if (options.first_last)
    return std::make_shared<nn::QuantLinear>(in, options.num_classes, options);
  return std::make_shared<nn::Linear>(in, options.num_classes);
}

}  // namespace lowbit::models
