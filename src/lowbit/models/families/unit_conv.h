// One convolution of a residual block, in the form that the keywords give it.
#pragma once

#include "lowbit/models/block_shape.h"
#include "lowbit/models/families/layers.h"

namespace lowbit::models::families {

// x [in, H, W] -> [out, H / stride, W / stride]: a convolution of unit.kernel, or with unit.prone:
//
// Cells of 2 * stride pixels become channels, a 1x1 convolution (child `conv`) maps them to 4 * out
// channels, and cells of 2 x 2 pixels are restored from these. With options.norm_before_restore a
// norm of the 4 * out channels (child `bn`) stands before the restoring.
//
// If 2 * stride does not divide H, (2 * stride - H mod 2 * stride) / 2 zeros are padded on all
// sides, so the result is larger than H / stride; an odd H is an Error (usage).
//
// init_factor: on the weight at the start; norm_weight: what the norm's factor starts with.
ValueId unit_conv(Builder& b, const std::string& name, ValueId x, const UnitShape& unit,
                  const config::ModelOptions& options, double init_factor, double norm_weight);

}  // namespace lowbit::models::families
