#pragma once

#include <memory>

#include "lowbit/quant/quantizer.h"

namespace lowbit::quant {

// DoReFa (https://arxiv.org/abs/1606.06160; the formulas are in kernels/math/dorefa.h): fixed clip
// value, optionally a learned factor `gamma` per group on the result. Outputs (ot) are quantized as
// activations (fm) are.
std::shared_ptr<Quantizer> make_dorefa(const QuantShape& shape,
                                       const config::QuantOptions& options);

}  // namespace lowbit::quant
