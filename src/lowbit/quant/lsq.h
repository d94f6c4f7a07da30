#pragma once

#include <memory>

#include "lowbit/quant/quantizer.h"

namespace lowbit::quant {

// LSQ (https://arxiv.org/abs/1902.08153; the formula is in kernels/math/lsq.h) with a learned
// `clip_val` per group.
std::shared_ptr<Quantizer> make_lsq(const QuantShape& shape, const config::QuantOptions& options);

}  // namespace lowbit::quant
