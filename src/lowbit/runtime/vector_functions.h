// Loops over a row of pixels that compilers vectorize: elementwise operations, and the inner loops
// of those with a receptive field. Each instruction set has them (kernels/instruction_set.h).
#pragma once

#include <cstddef>
#include <cstdint>

namespace lowbit::runtime {

enum class ElementwiseOperation {
  scale,         // sums -> reals: a * sum + b
  scale_more,    // sums -> reals: (out + a * sum) + b
  compare,       // sums -> codes: base + sign * (number of the sum thresholds <= sum)
  line_of_sums,  // sums -> codes: the whole part of a * sum + b between 0 and high (lines.h)
  normalize,     // codes -> reals: (code / 255 - a) / b
  affine,        // reals -> reals, from here on: x * a + b
  relu,
  clamp,        // between low and high
  leaky,        // a: slopes
  absolute,     // no parameter
  divide_root,  // low
  add,          // of in and other
  subtract,
  multiply,
  divide,
  subtract_from,   // other - in
  divide_through,  // other / in
  quantize,        // reals -> codes: number of the thresholds <= x
  between_lines,   // the same: the whole part of x * a + b and of x * a + (b + low), between 0 and
                   // high, where both agree, and by the thresholds elsewhere (lines.h)
  search,          // the same by bisection, for many thresholds
  dequantize,      // codes -> reals
};
inline constexpr int kElementwiseOperations =
    static_cast<int>(ElementwiseOperation::dequantize) + 1;

// Pixels [pixels][channels] that lie side by side. Of one pixel they may be some of all its
// channels: then what is given by channel begins at the first of them.
struct ElementwiseCall {
  const void* in = nullptr;
  void* out = nullptr;
  size_t pixels = 0, channels = 0;
  size_t first_channel = 0, all_channels = 0;
  // By channel; of `between_lines` from the first of all channels on. What goes by channel and the
  // thresholds may be read up to a vector of 64 bytes beyond the last.
  const float *a = nullptr, *b = nullptr;
  float low = 0, high = 0;
  // Of the second operand: numbers from one pixel to the next, and from one channel to the next
  // (0 or 1).
  const float* other = nullptr;
  size_t other_pixel = 0, other_channel = 0;
  // Thresholds of channel c: [steps][all_channels], of a group for `search` and `between_lines`,
  // which have [groups][steps]. Levels: [groups][steps].
  const float* numbers = nullptr;
  const int32_t* sums = nullptr;
  const int32_t *base = nullptr, *sign = nullptr;
  size_t steps = 0;
  size_t group_channels = 0;  // of a group
};

using ElementwiseFunction = void (*)(const ElementwiseCall&);

// An operation on one place of the receptive field; by default for all pixels of
// a row.
enum class SpatialOperation {
  maximum,        // of reals: of all places together, for one pixel
  maximum_codes,  // of codes
  sum,            // out + in
  convolve,       // out + in[i] * weights[i][.], one rounding, for each input channel i in turn
  convolve_each,  // out + in * weights, one rounding, channel by channel
};
inline constexpr int kSpatialOperations = static_cast<int>(SpatialOperation::convolve_each) + 1;

struct SpatialCall {
  const void* in = nullptr;
  void* out = nullptr;
  size_t pixels = 0, channels = 0;     // of out
  size_t in_pixel = 0, out_pixel = 0;  // numbers from one pixel to the next
  size_t rows = 0, columns = 0,
         in_row = 0;               // of the receptive field, for maxima; numbers from row to row
  size_t in_channels = 0;          // for `convolve`
  const float* weights = nullptr;  // [in_channels or one][weights_row]
  size_t weights_row = 0;
};

using SpatialFunction = void (*)(const SpatialCall&);

// The functions of an instruction set, in the order of the operations.
struct VectorFunctions {
  ElementwiseFunction elementwise[kElementwiseOperations];
  SpatialFunction spatial[kSpatialOperations];

  ElementwiseFunction of(ElementwiseOperation operation) const {
    return elementwise[static_cast<int>(operation)];
  }
  SpatialFunction of(SpatialOperation operation) const {
    return spatial[static_cast<int>(operation)];
  }
};

}  // namespace lowbit::runtime
