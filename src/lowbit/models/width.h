// The factor --width_alpha on a number of channels.
#pragma once

#include "lowbit/config/model_options.h"
#include "lowbit/core/error.h"

namespace lowbit::models {

// int(width_alpha * channels); an Error (usage) if nothing is left.
inline int64_t scaled_width(int64_t channels, const config::ModelOptions& options) {
  const auto width = static_cast<int64_t>(options.width_alpha * static_cast<double>(channels));
  if (width < 1) throw core::usage_error("--width_alpha {} leaves no channel", options.width_alpha);
  return width;
}

}  // namespace lowbit::models
