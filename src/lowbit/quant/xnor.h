#pragma once

#include <memory>

#include "lowbit/quant/quantizer.h"

namespace lowbit::quant {

// XNOR (https://arxiv.org/abs/1603.05279), and with its options XNOR++, Bi-Real and the branches of
// Group-Net; the formulas are in kernels/math/xnor.h. Weights: their sign times the mean magnitude
// of their group, optionally times a learned `gamma`. Activations (fm) and outputs (ot): their
// sign, optionally times a mean magnitude. There is no warm-up.
std::shared_ptr<Quantizer> make_xnor(const QuantShape& shape, const config::QuantOptions& options);

}  // namespace lowbit::quant
