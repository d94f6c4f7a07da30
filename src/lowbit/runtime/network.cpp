#include "lowbit/runtime/network.h"

#include "lowbit/runtime/bits.h"

namespace lowbit::runtime {
namespace {

std::vector<int8_t> integers_of(const packed::WeightPlane& plane, size_t count) {
  std::vector<int8_t> integers(count, 1);
  if (!plane.data() || plane.data()->size() == 0) return integers;
  const std::span<const uint8_t> data(plane.data()->data(), plane.data()->size());
  const bool named = plane.integers() && plane.integers()->size() > 0;
  for (size_t i = 0; i < count; ++i) {
    const uint8_t code = unpack_bits(data, i, plane.bits());
    integers[i] = named ? plane.integers()->Get(code) : static_cast<int8_t>(code);
  }
  return integers;
}

}  // namespace

size_t weight_count(const packed::CodeConv& conv, const Shape& in, const Shape& out) {
  const auto side = static_cast<size_t>(conv.window()->kernel());
  return static_cast<size_t>(out.channels) * side * side *
         static_cast<size_t>(in.channels / conv.groups());
}

Network::Network(const packed::Model& model, const Limits& limits)
    : model_(model), types_(check(model, limits)), readers_(types_.size()) {
  weights_.resize(static_cast<size_t>(steps()));
  for (int number = 0; number < steps(); ++number) {
    for (const int input : inputs_of(step(number))) {
      std::vector<int>& readers = readers_[static_cast<size_t>(input)];
      if (readers.empty() || readers.back() != number) readers.push_back(number);
    }
    if (const packed::CodeConv* conv = step(number).operation_as_CodeConv()) {
      const size_t count = weight_count(*conv, types_[static_cast<size_t>(conv->input())].shape,
                                        types_[static_cast<size_t>(number) + 1].shape);
      for (const packed::WeightPlane* plane : *conv->weights())
        weights_[static_cast<size_t>(number)].push_back(integers_of(*plane, count));
    }
  }
}

}  // namespace lowbit::runtime
