#pragma once

#include <memory>

#include "lowbit/quant/quantizer.h"

namespace lowbit::quant {

// FATNN's non-uniform quantizer (https://arxiv.org/abs/2008.05101; the formula is in
// kernels/math/non_uniform.h) with learned slopes `alpha0`, `alpha1`, .. per group: in half range
// one for each step between levels, otherwise, and always for weights, two for three levels.
// Activations may have a factor by least squares (closed_form), in the buffer `basis`.
std::shared_ptr<Quantizer> make_non_uniform(const QuantShape& shape,
                                            const config::QuantOptions& options);

}  // namespace lowbit::quant
