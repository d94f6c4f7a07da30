// From options to a quantizer.
#pragma once

#include <memory>

#include "lowbit/config/methods.h"
#include "lowbit/quant/quantizer.h"

namespace lowbit::quant {

// The quantizer of options.method; null if the tag is not enabled. A method without an
// implementation is an Error (usage).
std::shared_ptr<Quantizer> make_quantizer(const QuantShape& shape,
                                          const config::QuantOptions& options);

using MakeQuantizer = std::shared_ptr<Quantizer> (*)(const QuantShape&,
                                                     const config::QuantOptions&);

// Adds a method to those of the library: its row of config/methods.h, and how its quantizers are
// made. Before options are parsed.
config::Method add_method(config::MethodRow row, MakeQuantizer make);

}  // namespace lowbit::quant
