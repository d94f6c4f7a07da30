// Layers trained in full precision with 8 bits for inputs and weights.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace lowbit::deploy {

// What a byte of the input means: code c of channel i is the real (c - zero_points[i]) unit[i] +
// zero[i].
struct ByteGrid {
  std::vector<uint8_t> zero_points;
  std::vector<double> unit, zero;
};

// The grid over the range of x, the same for all of its channels, with 0 as a code.
ByteGrid grid_over(const torch::Tensor& x);

// Of weights of so many bits, the same to either side of 0.
constexpr int largest_integer(int bits) {
  return (1 << (bits - 1)) - 1;
}

// For each output channel o, convolving reals with the weight is
//   scale[o] * (sum of (c - zero point) * codes)  +  shift[o]
// up to the rounding of the codes.
struct ByteWeights {
  torch::Tensor codes;  // int8 [O, I / groups, k, k], largest_integer(bits) at most to either side
  std::vector<double> scale, shift;
};

// weight [O, I / groups, k, k]; input [B, I, H, W]: reals, of which the codes of `grid` are the
// layer's input; bits of a weight: 2 to 8. The units of the grid are multiplied into the weights
// before these are rounded, together and for this input (round_together).
ByteWeights byte_weights(const torch::Tensor& weight, int groups, int stride, int padding,
                         const torch::Tensor& input, const ByteGrid& grid, int bits);

}  // namespace lowbit::deploy
