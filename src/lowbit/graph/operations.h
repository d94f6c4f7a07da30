// The operations of a graph, one struct each: what a node does besides its inputs.
//
// A new operation is a struct here and a row in operation_table.cpp. Axes count without the batch:
// 0 are the channels. Sizes are {height, width}.
#pragma once

#include <array>
#include <cstdint>
#include <variant>
#include <vector>

#include "lowbit/config/quant_options.h"

namespace lowbit::graph {

// Of both axes of an image; one number means both.
struct Size2 {
  int64_t height = 1, width = 1;

  constexpr Size2() = default;
  constexpr Size2(int64_t side) : height(side), width(side) {}
  constexpr Size2(int64_t h, int64_t w) : height(h), width(w) {}
  bool operator==(const Size2&) const = default;
};

// Pixels on each side; one number means all.
struct Padding {
  int64_t top = 0, left = 0, bottom = 0, right = 0;

  constexpr Padding() = default;
  constexpr Padding(int64_t all) : top(all), left(all), bottom(all), right(all) {}
  constexpr Padding(int64_t t, int64_t l, int64_t b, int64_t r)
      : top(t), left(l), bottom(b), right(r) {}
  bool operator==(const Padding&) const = default;
};

// Whether a convolution or linear layer can be quantized.
enum class Precision {
  free,   // as the options of its tags and policies say
  full,   // counted by policies, but never quantized
  fixed,  // neither
};

// x {I, H, W}, weight {O, I / groups, kh, kw}[, bias {O}] -> {O, H', W'}. Zeros are padded.
struct Convolution {
  Size2 stride = 1;
  Padding padding = 0;
  Size2 dilation = 1;
  int64_t groups = 1;
  Precision precision = Precision::free;
  bool operator==(const Convolution&) const = default;
};

// x {..., I}, weight {O, I}[, bias {O}] -> {..., O}
struct Linear {
  Precision precision = Precision::free;
  bool operator==(const Linear&) const = default;
};

// https://arxiv.org/abs/1502.03167. x {C, ...}, weight {C}, bias {C}, running_mean {C},
// running_var {C}[, num_batches_tracked {}] -> {C, ...}
struct BatchNorm {
  bool fixed_statistics = false;  // training uses the running statistics, too, and keeps them
  bool affine_first = false;      // factor and shift before the normalization
  double eps = 1e-5, momentum = 0.1;
  bool operator==(const BatchNorm&) const = default;
};

// https://arxiv.org/abs/1803.08494. x {C, ...}, weight {C}, bias {C} -> {C, ...}
struct GroupNorm {
  int64_t groups = 32;
  double eps = 1e-5;
  bool operator==(const GroupNorm&) const = default;
};

// https://arxiv.org/abs/1607.08022, without factor, shift or running statistics.
// x {C, ...} -> {C, ...}
struct InstanceNorm {
  double eps = 1e-5;
  bool operator==(const InstanceNorm&) const = default;
};

// max(x, 0)
struct Relu {
  bool operator==(const Relu&) const = default;
};

// min(max(x, low), high)
struct Clip {
  double low = 0, high = 6;
  bool operator==(const Clip&) const = default;
};

// x where it is above 0, else slope * x
struct LeakyRelu {
  double slope = 0.01;
  bool operator==(const LeakyRelu&) const = default;
};

// x {C, ...}, slope {1} or {C} -> {C, ...}: as LeakyRelu, with a learned slope
struct PRelu {
  bool operator==(const PRelu&) const = default;
};

// The values that take the place of x; its method's parameters are a state of the node's name.
struct Quantize {
  config::Tag tag = config::Tag::fm;  // wt: x is a parameter; fm, ot: features
  config::QuantOptions options{};
  // What groups and gradient scales are defined by. fm, ot: {1, C, 1, 1}. wt: {O, I, kh, kw}, I the
  // whole input width also of a grouped convolution; of a linear layer {1, 1, O, I}.
  std::array<int64_t, 4> shape{1, 1, 1, 1};
  int64_t batch_size = 1;  // of a training step
  int64_t input_size = 1;  // pixels of a side of the network's input
  bool operator==(const Quantize&) const = default;
};

enum class Arithmetic { add, subtract, multiply, divide };

// a, b -> a op b, as NumPy broadcasts: axes are matched from the last one, and an axis of size 1
// repeats. {1} is a number for all, {C, 1, 1} one for each channel. Two features need the same
// number of axes.
struct Binary {
  Arithmetic kind = Arithmetic::add;
  bool operator==(const Binary&) const = default;
};

// One after another along the axis; at least one input.
struct Concat {
  int64_t axis = 0;
  bool operator==(const Concat&) const = default;
};

// The entries begin, begin + step, ... before end along the axis.
struct Slice {
  int64_t axis = 0, begin = 0, end = 1, step = 1;
  bool operator==(const Slice&) const = default;
};

// x {C, H, W} -> {C, H', W'}. An incomplete window at the border is dropped, or with `ceil` counts
// if it begins on x or its leading padding.
struct Pool {
  enum class Kind { max, average };
  Kind kind = Kind::max;
  Size2 kernel = 2, stride = 2;
  Padding padding = 0;  // smaller than the window on each side
  Size2 dilation = 1;   // of max alone
  bool ceil = false;
  bool count_padding = true;  // average: padded zeros count
  bool operator==(const Pool&) const = default;
};

// The mean over these axes, ascending, which are dropped or stay with size 1. The mean over {1, 2}
// of {C, H, W} is the global average pooling.
struct Mean {
  std::vector<int64_t> axes{};
  bool keep = false;
  bool operator==(const Mean&) const = default;
};

// The same numbers in the same order.
struct Reshape {
  std::vector<int64_t> dims{};
  bool operator==(const Reshape&) const = default;
};

// Axis i of the result is axis permutation[i] of x.
struct Transpose {
  std::vector<int64_t> permutation{};
  bool operator==(const Transpose&) const = default;
};

// {C, H, W} -> {C * cell * cell, H / cell, W / cell}: channel c * cell * cell + row * cell + column
// holds the pixels of channel c at that place of each cell.
struct SpaceToDepth {
  int64_t cell = 2;
  bool operator==(const SpaceToDepth&) const = default;
};

// The inverse: {C * cell * cell, H, W} -> {C, H * cell, W * cell}.
struct DepthToSpace {
  int64_t cell = 2;
  bool operator==(const DepthToSpace&) const = default;
};

// {C, H, W} -> {C, top + H + bottom, left + W + right}
struct Pad {
  Padding padding = 0;
  double value = 0;
  bool operator==(const Pad&) const = default;
};

// x {K * C, H, W}, scales {K} -> {C, H, W}: the sum over k of scales[k] times channels k * C ..
// (k + 1) * C - 1.
struct ScaledSum {
  bool operator==(const ScaledSum&) const = default;
};

// Half precision ends here: from here on numbers have at least the type of the parameters.
struct Widen {
  bool operator==(const Widen&) const = default;
};

using Operation =
    std::variant<Convolution, Linear, BatchNorm, GroupNorm, InstanceNorm, Relu, Clip, LeakyRelu,
                 PRelu, Quantize, Binary, Concat, Slice, Pool, Mean, Reshape, Transpose,
                 SpaceToDepth, DepthToSpace, Pad, ScaledSum, Widen>;

}  // namespace lowbit::graph
