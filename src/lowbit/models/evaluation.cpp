#include "lowbit/models/evaluation.h"

namespace lowbit::models {

Evaluation::Evaluation(exec::GraphModule& network)
    : network_(network), was_training_(network.is_training()) {
  for (const quant::Quantizer* quantizer : network.quantizers())
    for (const NamedTensor& entry : state_of(*quantizer)) {
      state_.push_back(entry.tensor.detach());
      saved_.push_back(state_.back().clone());
    }
  network.eval();
}

Evaluation::~Evaluation() {
  network_.train(was_training_);
  if (!state_.empty()) at::_foreach_copy_(state_, saved_);
}

}  // namespace lowbit::models
