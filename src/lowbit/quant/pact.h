#pragma once

#include <memory>

#include "lowbit/quant/quantizer.h"

namespace lowbit::quant {

// PACT (https://arxiv.org/abs/1805.06085; the formula is in kernels/math/pact.h): one learned
// `clip_val` for activations (fm) and outputs (ot). Its weights are DoReFa's.
std::shared_ptr<Quantizer> make_pact(const QuantShape& shape, const config::QuantOptions& options);

}  // namespace lowbit::quant
