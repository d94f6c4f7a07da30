#include "consumers.h"

#include <algorithm>
#include <vector>

#include "lowbit/runtime/check.h"

namespace lowbit::onnx {

OnlyUse only_use_of(const packed::ModelT& model, const packed::Model& program, int value) {
  OnlyUse use;
  for (bool ends = false; !ends;) {
    const packed::OperationUnion* reader = nullptr;
    int next = 0;
    for (size_t step = 0; step < model.steps.size(); ++step) {
      const std::vector<int> inputs =
          runtime::inputs_of(*program.steps()->Get(static_cast<unsigned>(step)));
      if (std::ranges::find(inputs, value) == inputs.end()) continue;
      if (reader) return {};
      reader = &model.steps[step]->operation;
      next = static_cast<int>(step) + 1;
    }
    if (!reader) return {};
    const auto* activation = reader->AsActivation();
    if (activation && activation->function == packed::Function::relu) {
      use.low = std::max(use.low, 0.0F);
    } else if (activation && activation->function == packed::Function::clamp) {
      use.low = std::max(use.low, activation->low);
      use.high = std::min(use.high, activation->high);
    } else {
      use.quantize = reader->AsQuantize();
      ends = true;
    }
    value = next;
  }
  if (use.quantize && use.quantize->groups != 1) return {};
  return use;
}

}  // namespace lowbit::onnx
