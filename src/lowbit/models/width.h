// The factors --width_alpha on a number of channels and --block_alpha on a number of blocks.
#pragma once

#include <algorithm>
#include <cmath>

#include "lowbit/config/model_options.h"
#include "lowbit/core/error.h"

namespace lowbit::models {

// int(width_alpha * channels); an Error (usage) if nothing is left.
inline int64_t scaled_width(int64_t channels, const config::ModelOptions& options) {
  const auto width = static_cast<int64_t>(options.width_alpha * static_cast<double>(channels));
  if (width < 1) throw core::usage_error("--width_alpha {} leaves no channel", options.width_alpha);
  return width;
}

// block_alpha * count, rounded, at least 1.
inline int scaled_count(int count, const config::ModelOptions& options) {
  return std::max(1, static_cast<int>(std::lround(options.block_alpha * count)));
}

}  // namespace lowbit::models
