// A network in evaluation mode for a time.
#pragma once

#include <vector>

#include "lowbit/models/network.h"

namespace lowbit::models {

class Evaluation {
 public:
  // The network gets its mode back when this ends, however that comes, and its quantizers their
  // tensors: a pass in the warm-up changes clip values in this mode, too.
  explicit Evaluation(exec::GraphModule& network);
  ~Evaluation();
  Evaluation(const Evaluation&) = delete;
  Evaluation& operator=(const Evaluation&) = delete;

 private:
  exec::GraphModule& network_;
  bool was_training_;
  std::vector<torch::Tensor> state_, saved_;
};

}  // namespace lowbit::models
