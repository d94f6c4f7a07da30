#include "lowbit/deploy/packed_size.h"

#include <fmt/format.h>

#include <map>

namespace lowbit::deploy {
namespace {

struct Bytes {
  std::map<int, size_t> weights;  // by bits
  size_t scales = 0, thresholds = 0, levels = 0;

  void add(const packed::StepT& step) {
    const packed::OperationUnion& operation = step.operation;
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
      levels += floats(dequantize->levels);
    }
  }

  size_t sum() const {
    size_t bytes = scales + thresholds + levels;
    for (const auto& [bits, count] : weights) bytes += count;
    return bytes;
  }
};

// A string stands behind its length, ends with a zero and is filled up to 4 bytes; its place in the
// list takes 4 more.
size_t class_name_bytes(const std::vector<std::string>& classes) {
  size_t bytes = 0;
  for (const std::string& name : classes) bytes += 4 + 4 + (name.size() + 1 + 3) / 4 * 4;
  return bytes;
}

}  // namespace

size_t packed_size(const packed::StepT& step) {
  Bytes bytes;
  bytes.add(step);
  return bytes.sum();
}

std::vector<SizePart> packed_size(const packed::ModelT& model, size_t file_bytes) {
  Bytes bytes;
  for (const auto& step : model.steps) bytes.add(*step);
  std::vector<SizePart> parts;
  const auto add = [&](const std::string& name, size_t count) {
    if (count > 0) parts.push_back({name, count});
  };
  for (const auto& [bits, count] : bytes.weights)
    add(fmt::format("weights of {} bit{}", bits, bits == 1 ? "" : "s"), count);
  add("factors and shifts of channels", bytes.scales);
  add("thresholds", bytes.thresholds);
  add("levels", bytes.levels);
  const size_t classes = class_name_bytes(model.classes);
  add("names of classes", classes);
  add("structure, names of layers", file_bytes - bytes.sum() - classes);
  return parts;
}

std::string format_sizes(const std::vector<SizePart>& parts) {
  std::string text;
  size_t sum = 0;
  const auto line = [](const std::string& name, size_t bytes) {
    return fmt::format("  {:<32}{:>12} bytes", name, bytes);
  };
  for (const SizePart& part : parts) {
    text += line(part.name, part.bytes) + "\n";
    sum += part.bytes;
  }
  return text + line("together", sum);
}

}  // namespace lowbit::deploy
