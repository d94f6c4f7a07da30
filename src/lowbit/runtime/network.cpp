#include "lowbit/runtime/network.h"

namespace lowbit::runtime {

Network::Network(const packed::Model& model, const Limits& limits)
    : model_(model), types_(check(model, limits)), readers_(types_.size()) {
  for (int number = 0; number < steps(); ++number)
    for (const int input : inputs_of(step(number))) {
      std::vector<int>& readers = readers_[static_cast<size_t>(input)];
      if (readers.empty() || readers.back() != number) readers.push_back(number);
    }
}

size_t Network::weight_count(int number) const {
  const packed::CodeConv* conv = step(number).operation_as_CodeConv();
  if (!conv) return 0;
  const Shape &in = types_[static_cast<size_t>(conv->input())].shape,
              &out = types_[static_cast<size_t>(number) + 1].shape;
  const auto side = static_cast<size_t>(conv->window()->kernel());
  return static_cast<size_t>(out.channels) * side * side *
         static_cast<size_t>(in.channels / conv->groups());
}

Weights Network::weights(int number) const {
  const size_t count = weight_count(number);
  Weights weights;
  for (const packed::WeightPlane* plane : *step(number).operation_as_CodeConv()->weights())
    weights.push_back(integers_of(*plane, count));
  return weights;
}

}  // namespace lowbit::runtime
