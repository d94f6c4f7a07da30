#include "lowbit/runtime/network.h"

namespace lowbit::runtime {
size_t weight_count(const packed::CodeConv& conv, const Shape& in, const Shape& out) {
  const auto side = static_cast<size_t>(conv.window()->kernel());
  return static_cast<size_t>(out.channels) * side * side *
         static_cast<size_t>(in.channels / conv.groups());
}

Network::Network(const packed::Model& model, const Limits& limits)
    : model_(model), types_(check(model, limits)), readers_(types_.size()) {
  for (int number = 0; number < steps(); ++number)
    for (const int input : inputs_of(step(number))) {
      std::vector<int>& readers = readers_[static_cast<size_t>(input)];
      if (readers.empty() || readers.back() != number) readers.push_back(number);
    }
}

Weights Network::weights(int number) const {
  const packed::CodeConv& conv = *step(number).operation_as_CodeConv();
  const size_t count = weight_count(conv, types_[static_cast<size_t>(conv.input())].shape,
                                    types_[static_cast<size_t>(number) + 1].shape);
  Weights weights;
  for (const packed::WeightPlane* plane : *conv.weights())
    weights.push_back(integers_of(*plane, count));
  return weights;
}

}  // namespace lowbit::runtime
