// A network in evaluation mode for a time.
#pragma once

#include "lowbit/models/network.h"

namespace lowbit::models {

class Evaluation {
 public:
  // The network gets its mode back when this ends, however that comes.
  explicit Evaluation(Network& network) : network_(network), was_training_(network.is_training()) {
    network.eval();
  }
  ~Evaluation() { network_.train(was_training_); }
  Evaluation(const Evaluation&) = delete;
  Evaluation& operator=(const Evaluation&) = delete;

 private:
  Network& network_;
  bool was_training_;
};

}  // namespace lowbit::models
