// Integers of weights as ONNX carries them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "translation.h"

namespace lowbit::onnx {

// Integers [out][in / groups][row][column] of a plane of weights.
struct WeightIntegers {
  std::vector<int8_t> integers;
  Shape shape;
  size_t out() const { return static_cast<size_t>(shape[0]); }
  size_t each() const { return integers.size() / out(); }  // of an output channel
  int largest() const;                                     // absolute value
};

// What one unit of a sum of (input * integer) is to an output channel.
struct SumUnits {
  std::vector<double> coefficients;  // [out]
  float input_unit = 1;              // one unit of the input as it is dequantized
  int largest_input = 255;           // in such units
  std::vector<double> bias;          // [out]; what will be added to the sum
};

// [out][row][column][in], as the program has weights, in the order of ONNX, [out][in][row][column],
// which is that of the shape.
template <class Number>
std::vector<Number> channels_first(const std::vector<Number>& weights, const Shape& shape) {
  const auto ins = static_cast<size_t>(shape[1]), taps = static_cast<size_t>(shape[2] * shape[3]);
  std::vector<Number> turned(weights.size());
  for (size_t from = 0; from < weights.size(); ++from) {
    const size_t out = from / (taps * ins), tap = from / ins % taps, in = from % ins;
    turned[(out * ins + in) * taps + tap] = weights[from];
  }
  return turned;
}

// coefficients / input_unit * integers as 8 bits with a scale for each output channel, for a
// convolution that a runtime makes one of integers: scales[o] * (bytes - zero_point).
struct CarriedWeights {
  Shape shape;
  std::string bytes;  // int8, or uint8 with a zero point
  int zero_point = 0;
  std::vector<float> scales;  // [out]
};
CarriedWeights scaled_bytes(const WeightIntegers& weights, const SumUnits& units);
// Them, float32.
std::string dequantized(Translation& to, const CarriedWeights& weights);

// The integers themselves, float32, dequantized from the narrowest type that the options allow and
// that holds them. largest_input: absolute value of the integers that they meet.
std::string carry_integers(Translation& to, const WeightIntegers& weights, int largest_input);

}  // namespace lowbit::onnx
