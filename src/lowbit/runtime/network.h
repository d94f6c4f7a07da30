// A packed network that was checked: what all sessions of it share.
#pragma once

#include <cstdint>
#include <vector>

#include "lowbit/runtime/check.h"
#include "lowbit/runtime/values.h"
#include "lowbit/runtime/weights.h"

namespace lowbit::runtime {

class Network {
 public:
  // The model must stay. An Error (usage) if it makes no sense or asks for more than the limits.
  explicit Network(const packed::Model& model, const Limits& limits = {});

  const packed::Model& model() const { return model_; }
  int steps() const { return static_cast<int>(model_.steps()->size()); }
  const packed::Step& step(int number) const {
    return *model_.steps()->Get(static_cast<unsigned>(number));
  }
  // The type of each value: of the image, then of what each step gives.
  const std::vector<ValueType>& types() const { return types_; }
  // By what steps each value is read, in rising order.
  const std::vector<std::vector<int>>& readers() const { return readers_; }
  // Number of weights in a plane of the step; 0 unless it is a CodeConv.
  size_t weight_count(int step) const;
  // Of a step that is a CodeConv, unpacked for the caller: a network keeps none.
  Weights weights(int step) const;

 private:
  const packed::Model& model_;
  std::vector<ValueType> types_;
  std::vector<std::vector<int>> readers_;
};

}  // namespace lowbit::runtime
