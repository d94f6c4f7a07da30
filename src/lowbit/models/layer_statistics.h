// What each quantizer of a network does to its input: the numbers by which one finds the layer that
// went wrong. Found through quant::Quantizer::lower, so that they exist for every method.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lowbit/models/network.h"

namespace lowbit::models {

// Of one quantizer on one batch: on all weights, and of activations on those of the first images,
// as many as give 65,536 values. Everything is in float32 and of the warmed-up quantizer.
//
// The clip range [low, high] is where the quantizer rounds instead of saturating: half a step
// beyond the outermost thresholds, which for a uniform grid is its clip value. It is in the units
// of the input, whatever the method scales its result with. Two levels have no step and no range.
struct QuantizerStatistics {
  std::string layer;  // the dotted name
  config::Tag tag = config::Tag::fm;
  int64_t bits = 0, levels = 0, groups = 0;
  int64_t values = 0;                                // of the input, as many as were looked at
  double input_min = 0, input_max = 0, rms = 0;      // of the input
  double clip_min = 0, clip_mean = 0, clip_max = 0;  // learned clip values; NaN: there are none
  double range_low = 0, range_high = 0;              // clip range, mean over groups; NaN: none
  double clipped_low = 0, clipped_high = 0;          // shares of the input beyond it, 0..1
  std::vector<int64_t> codes;                        // how often each code occurs
  double mse = 0;                                    // mean squared difference of input and result
  // The share of the input's energy that no multiple of the result explains, 0..1: 1 - cos^2 of
  // the angle between both. Unlike mse it does not change with the units of either.
  double relative_error = 0;

  int64_t dead_codes() const;  // that never occur
  // False where the method gives no numbers (a constant group that is normalized, a clip value of
  // NaN): then codes is empty and what depends on them is NaN.
  bool usable() const { return !codes.empty(); }
};

// "fm", "wt", "ot"
const char* tag_name(config::Tag tag);

// Of every quantizer in the order of the forward pass on `images` [B, 3, H, W] of the type of the
// network's parameters. Runs one pass in evaluation mode that leaves no trace and keeps the mode.
// The same network and images give the same numbers. Waits for the device.
std::vector<QuantizerStatistics> layer_statistics(Network& network, const torch::Tensor& images);

// For logs: "layer1.0.conv1 fm: 4 levels, clip 1.23, input -0.5 .. 2.1, clipped 1.2 %, 0 dead
// codes, error 3.4 %".
std::string to_line(const QuantizerStatistics& statistics);

}  // namespace lowbit::models
