// The shape a quantizer works on, and what follows from it: groups, fan, number of elements.
#pragma once

#include <array>
#include <cstdint>

#include "lowbit/config/quant_options.h"

namespace lowbit::quant {

struct QuantShape {
  config::Tag tag = config::Tag::fm;
  // fm, ot: {1, C, 1, 1}. wt: {O, I, k, k}, I the whole input width also of a grouped convolution;
  // of a linear layer {1, 1, O, I}.
  std::array<int64_t, 4> shape{1, 1, 1, 1};
  int64_t batch_size = 1;  // of a training step
  int64_t input_size = 1;  // pixels of a side of the network's input

  // shape[1] * shape[2] * shape[3]
  int64_t fan() const { return shape[1] * shape[2] * shape[3]; }
  // Number of quantization groups. A `quant_group` that does not divide the shape gives the default
  // (one per output channel for wt, one for fm and ot) and one warning in the log.
  int64_t groups(int quant_group) const;
  // The number of elements that share a clip value: for fm and ot that of a whole step, each
  // feature counted at the network's input resolution.
  double elements(int64_t groups) const;
};

// The factor s that --<tag>_grad_scale puts on the gradient of a learned clip value. Its rounding
// rule (none where 1 <= s < 2) is the kernel's.
double clip_gradient_scale(const QuantShape& shape, const config::QuantOptions& options,
                           int64_t groups);

}  // namespace lowbit::quant
