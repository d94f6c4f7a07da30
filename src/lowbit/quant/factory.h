// From options to a quantizer.
#pragma once

#include <memory>

#include "lowbit/quant/quantizer.h"

namespace lowbit::quant {

// The quantizer of options.method; null if the tag is not enabled. A method without an
// implementation is an Error (usage).
std::shared_ptr<Quantizer> make_quantizer(const QuantShape& shape,
                                          const config::QuantOptions& options);

}  // namespace lowbit::quant
