#include "weights.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "lowbit/core/error.h"
#include "lowbit/runtime/bits.h"

namespace lowbit::onnx {
namespace {

constexpr double kLeastScale = 1e-30;
constexpr int kLargestInt8 = 127, kZeroOfUnsigned = 128;

std::string dequantize_weights(Translation& to, std::vector<std::string> inputs) {
  return to.graph.add("DequantizeLinear", std::move(inputs), {{"axis", int64_t{0}}});
}

std::string scales_tensor(Translation& to, const std::vector<float>& scales) {
  return to.graph.floats(scales, {static_cast<int64_t>(scales.size())});
}

// Runtimes round the bias of an integer convolution to a whole number of units of the sum. The unit
// of low-bit weights is coarse: integers as large as 8 bits hold make it finer, and change nothing
// else.
int largest_multiple(const WeightIntegers& weights, int largest_input) {
  const double largest = std::max(1, weights.largest());
  const double sum = largest * largest_input * static_cast<double>(weights.each());
  return static_cast<int>(
      std::max(1.0, std::floor(std::min(kLargestInt8 / largest, 0x1p30 / sum))));
}

CarriedWeights as_bytes(Translation& to, const WeightIntegers& weights, const SumUnits& units) {
  // A bias of more units than this would not fit into the sum, as where BatchNorm has switched a
  // channel off: the unit is made larger then.
  constexpr double kMostBias = 0x1p29;
  const int multiple = largest_multiple(weights, units.largest_input);
  // Processors that add products of bytes in pairs to 16 bits do so for unsigned times signed ones
  // alone: weights whose sums do not fit there are unsigned.
  const bool with_sign =
      2 * units.largest_input * multiple * weights.largest() <= std::numeric_limits<int16_t>::max();
  const int zero = with_sign ? 0 : kZeroOfUnsigned;
  std::vector<float> scales;
  std::string raw;
  for (size_t o = 0; o < weights.out(); ++o) {
    const double coefficient = units.coefficients[o] / static_cast<double>(units.input_unit);
    double scale = std::max(std::abs(coefficient) / multiple, kLeastScale);
    if (!units.bias.empty())
      scale = std::max(
          scale, std::abs(units.bias[o]) / (static_cast<double>(units.input_unit) * kMostBias));
    scales.push_back(static_cast<float>(scale));
    for (size_t i = 0; i < weights.each(); ++i) {
      const double integer =
          std::round(weights.integers[o * weights.each() + i] * coefficient / scale);
      if (std::abs(integer) > kLargestInt8)
        throw core::failure("ONNX: a weight of {} has no negative in 8 bits", integer);
      raw += static_cast<char>(static_cast<int>(integer) + zero);
    }
  }
  const auto type = with_sign ? proto::TensorProto::INT8 : proto::TensorProto::UINT8;
  std::vector<std::string> inputs = {to.graph.tensor(type, weights.shape, raw),
                                     scales_tensor(to, scales)};
  if (!with_sign)
    inputs.push_back(to.graph.bytes(std::vector<uint8_t>(weights.out(), static_cast<uint8_t>(zero)),
                                    {weights.shape[0]}));
  return {dequantize_weights(to, std::move(inputs)), false, std::move(scales)};
}

struct Carrier {
  int bits;
  proto::TensorProto::DataType with_sign, without_sign;
};

std::string packed_tensor(Translation& to, proto::TensorProto::DataType type, const Shape& shape,
                          const std::vector<int>& numbers, int bits) {
  std::vector<uint8_t> codes;
  for (const int number : numbers)
    codes.push_back(static_cast<uint8_t>(static_cast<unsigned>(number) & ((1U << bits) - 1)));
  const std::vector<uint8_t> packed = runtime::pack_bits(codes, bits);
  return to.graph.tensor(type, shape, {packed.begin(), packed.end()});
}

// Negative scales are avoided, since not every runtime takes them: the integers change their sign.
// None where the integers of a channel do not fit.
std::optional<std::string> as_narrow(Translation& to, const WeightIntegers& weights,
                                     const SumUnits& units, const Carrier& carrier) {
  const int span = 1 << carrier.bits;
  std::vector<float> scales;
  std::vector<int> integers, zeros;
  bool with_sign = true;
  for (size_t o = 0; o < weights.out(); ++o) {
    const double coefficient = units.coefficients[o] / static_cast<double>(units.input_unit);
    scales.push_back(static_cast<float>(std::max(std::abs(coefficient), kLeastScale)));
    const int sign = coefficient > 0 ? 1 : coefficient < 0 ? -1 : 0;
    int low = 0, high = 0;
    for (size_t i = 0; i < weights.each(); ++i) {
      const int integer = sign * weights.integers[o * weights.each() + i];
      low = std::min(low, integer);
      high = std::max(high, integer);
      integers.push_back(integer);
    }
    if (high - low >= span) return std::nullopt;
    with_sign = with_sign && low >= -span / 2 && high < span / 2;
    zeros.push_back(-low);
  }
  const std::string scale = scales_tensor(to, scales);
  if (with_sign)
    return dequantize_weights(
        to, {packed_tensor(to, carrier.with_sign, weights.shape, integers, carrier.bits), scale});
  for (size_t i = 0; i < integers.size(); ++i) integers[i] += zeros[i / weights.each()];
  return dequantize_weights(
      to, {packed_tensor(to, carrier.without_sign, weights.shape, integers, carrier.bits), scale,
           packed_tensor(to, carrier.without_sign, {weights.shape[0]}, zeros, carrier.bits)});
}

}  // namespace

int WeightIntegers::largest() const {
  int most = 0;
  for (const int8_t integer : integers) most = std::max(most, std::abs(integer));
  return most;
}

CarriedWeights carry(Translation& to, const WeightIntegers& weights, const SumUnits& units) {
  constexpr Carrier kTwo = {2, proto::TensorProto::INT2, proto::TensorProto::UINT2};
  constexpr Carrier kFour = {4, proto::TensorProto::INT4, proto::TensorProto::UINT4};
  if (to.options.weights == Weights::int2)
    if (const auto tensor = as_narrow(to, weights, units, kTwo)) return {*tensor, true, {}};
  if (to.options.weights != Weights::int8)
    if (const auto tensor = as_narrow(to, weights, units, kFour)) return {*tensor, true, {}};
  return as_bytes(to, weights, units);
}

}  // namespace lowbit::onnx
