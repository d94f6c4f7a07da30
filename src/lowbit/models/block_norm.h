// The norms of a ResNet, which Fixup does without.
#pragma once

#include "lowbit/nn/norm.h"

namespace lowbit::models {

// The norm that the keywords choose; with `fixup` the identity.
inline nn::LayerPtr make_block_norm(int64_t channels, const config::ModelOptions& options) {
  if (options.fixup) return std::make_shared<nn::Identity>();
  return nn::make_norm(channels, options);
}

}  // namespace lowbit::models
