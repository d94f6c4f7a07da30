#include "lowbit/deploy/lower.h"

#include <optional>
#include <string>

#include "lowbit/core/error.h"
#include "lowbit/deploy/finite.h"
#include "lowbit/deploy/operations.h"

namespace lowbit::deploy {

int Builder::make_real(const torch::Tensor& tensor) {
  if (tensor.is_same(trace_.input())) return normalized_image(*this);
  const Node* node = trace_.producer(tensor);
  if (!node)
    throw core::failure("a tensor of the network is neither computed nor an operand of a layer");
  if (node->quantizer) return dequantized(*this, *node);
  for (const auto kind :
       {batch_norm, convolution, pooled, mean, arithmetic, activation, rearranged})
    if (const std::optional<int> value = kind(*this, *node)) return *value;
  refuse(*node, "no step of a program does this");
}

packed::ModelT lower(const Trace& trace, const LowerOptions& options) {
  Builder to(trace, options);
  to.real(trace.output());
  packed::ModelT model = to.finish();
  if (const std::string where = first_not_finite(model); !where.empty())
    throw core::failure("{}: a number of the packed network is beyond float32", where);
  return model;
}

}  // namespace lowbit::deploy
