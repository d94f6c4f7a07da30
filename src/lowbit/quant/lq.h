#pragma once

#include <memory>

#include "lowbit/quant/quantizer.h"

namespace lowbit::quant {

// LQ-Nets (https://arxiv.org/abs/1807.10029; the formulas are in kernels/math/lq.h): levels are the
// sums of a learned `basis` per group, which follows x by least squares in every training pass.
// Outputs (ot) are quantized as activations (fm) are.
std::shared_ptr<Quantizer> make_lq(const QuantShape& shape, const config::QuantOptions& options);

}  // namespace lowbit::quant
