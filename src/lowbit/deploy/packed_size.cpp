#include "lowbit/deploy/packed_size.h"

#include <fmt/format.h>

#include <map>

namespace lowbit::deploy {

std::vector<SizePart> packed_size(const packed::ModelT& model, size_t file_bytes) {
  std::map<int, size_t> weights;  // by bits
  size_t scales = 0, thresholds = 0, others = 0;
  for (const auto& step : model.steps) {
    const packed::OperationUnion& operation = step->operation;
    const auto floats = [](const std::vector<float>& numbers) {
      return numbers.size() * sizeof(float);
    };
    if (const auto* conv = operation.AsCodeConv()) {
      for (const auto& plane : conv->weights) weights[plane->bits] += plane->data.size();
      scales += floats(conv->coefficients) + floats(conv->bias);
    } else if (const auto* real = operation.AsRealConv()) {
      weights[32] += floats(real->weight);
      scales += floats(real->bias);
    } else if (const auto* affine = operation.AsAffine()) {
      scales += floats(affine->factor) + floats(affine->shift);
    } else if (const auto* quantize = operation.AsQuantize()) {
      thresholds += floats(quantize->thresholds);
    } else if (const auto* dequantize = operation.AsDequantize()) {
      others += floats(dequantize->levels);
    }
  }
  std::vector<SizePart> parts;
  size_t sum = 0;
  const auto add = [&](const char* name, size_t bytes) {
    if (bytes > 0) parts.push_back({std::string(name), bytes});
    sum += bytes;
  };
  for (const auto& [bits, bytes] : weights)
    add(fmt::format("weights of {} bit{}", bits, bits == 1 ? "" : "s").c_str(), bytes);
  add("factors and shifts of channels", scales);
  add("thresholds", thresholds);
  add("levels", others);
  add("structure, names", file_bytes - sum);
  return parts;
}

}  // namespace lowbit::deploy
