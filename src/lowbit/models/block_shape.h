// The convolutions of a residual block: how many, which sizes, and what the keywords make of them.
#pragma once

#include <cstdint>
#include <vector>

#include "lowbit/config/model_options.h"

namespace lowbit::models {

struct BlockShape {
  int64_t in, planes;  // channels that enter, and those of the 3x3 convolutions
  int64_t stride;
  // Two 3x3 convolutions; or 1x1, 3x3 and 1x1 with 4 * planes channels.
  bool bottleneck = false;

  // Channels that leave the block.
  int64_t out() const { return bottleneck ? 4 * planes : planes; }
};

// One convolution of a block.
struct UnitShape {
  int number;  // 1, 2, 3: the place in the block, part of names in checkpoints
  int64_t in, out, kernel, stride;
  bool prone = false;  // its 3x3 convolution becomes reshapes and a point-wise one
};

// Keyword ReShapeResolution: resolution and width of a strided block change ahead of it, unless its
// first convolution stays as it is.
bool shrinks_before(const BlockShape& shape, const config::ModelOptions& options);

// The convolutions of a block. A first one that must not exist (keyword f0x0) in a bottleneck is an
// Error (usage).
std::vector<UnitShape> unit_shapes(const BlockShape& shape, const config::ModelOptions& options);

}  // namespace lowbit::models
