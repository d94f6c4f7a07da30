#include "lowbit/quant/quantizer.h"

namespace lowbit::quant {

Quantizer::Quantizer(const QuantShape& shape, const config::QuantOptions& options)
    : shape_(shape), options_(options), groups_(shape.groups(options.quant_group)) {
  // Parameters, though never trained: checkpoints list them before clip_val, ahead of any buffer.
  const auto untrained = [this](const char* name, double value) {
    return register_parameter(name, torch::full({1}, value, torch::kFloat32),
                              /*requires_grad=*/false);
  };
  iteration_ = untrained("iteration", 0);
  level_num_ = untrained("level_num", options.levels());
}

std::vector<int64_t> Quantizer::per_group_shape() const {
  if (shape_.tag == config::Tag::wt) return {groups_, 1, 1, 1};
  if (groups_ == 1) return {1};
  return {1, groups_, 1, 1};
}

}  // namespace lowbit::quant
