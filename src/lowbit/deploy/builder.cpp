#include "lowbit/deploy/builder.h"

#include <algorithm>

#include "lowbit/deploy/numbers.h"
#include "lowbit/deploy/operations.h"

namespace lowbit::deploy {

Builder::Builder(const TrainedGraph& trained, const LowerOptions& options)
    : trained_(trained), options_(options), uses_(trained.graph()) {
  model_.version = 1;
  model_.network = options.network;
  model_.classes = options.classes;
  model_.preprocessing = std::make_unique<packed::PreprocessingT>();
  model_.preprocessing->resize = options.resize;
  add_value(packed::Kind::code, dims(graph().input), kByteLevels, "image");
}

void Builder::add_value(packed::Kind kind, const graph::Dims& dims, int levels,
                        const std::string& name) {
  const auto [height, width, channels] = shape_of(dims);
  auto value = std::make_unique<packed::ValueT>();
  value->kind = kind;
  value->height = height;
  value->width = width;
  value->channels = channels;
  value->levels = levels;
  value->name = name;
  model_.values.push_back(std::move(value));
}

const Node* Builder::quantizer_of(ValueId id) const {
  const Node* node = producer(id);
  return node && std::holds_alternative<graph::Quantize>(node->operation) ? node : nullptr;
}

std::optional<ChannelConstant> Builder::constant_of(const Node& binary) const {
  const size_t side = is_constant(binary.inputs[0]) ? 0 : 1;
  const ValueId constant = binary.inputs[side], features = binary.inputs[1 - side];
  if (!is_constant(constant) || dims(features) != dims(binary.output)) return std::nullopt;
  const graph::Dims &sizes = dims(constant), &like = dims(features);
  // Axes are matched from the last one.
  for (size_t i = 0; i < sizes.size(); ++i)
    if (sizes[i] != 1 && like.size() - sizes.size() + i != 0) return std::nullopt;
  return ChannelConstant{&binary, numbers_of<float>(numbers(constant))};
}

std::optional<ChannelConstant> Builder::constant_behind(ValueId id, graph::Arithmetic kind) const {
  const std::vector<const Node*>& readers = uses_.readers(id);
  if (readers.size() != 1 || id == graph().output) return std::nullopt;
  const auto* binary = std::get_if<graph::Binary>(&readers.front()->operation);
  return binary && binary->kind == kind ? constant_of(*readers.front()) : std::nullopt;
}

void Builder::add(const Node& node) {
  if (reals_.contains(node.output)) return;
  const size_t axes = dims(node.output).size();
  if (axes != 1 && axes != 3) refuse(node, "its result is neither a map of pixels nor a vector");
  if (std::holds_alternative<graph::Quantize>(node.operation))
    codes_.emplace(node.output, quantized(*this, node));
  else
    reals_[node.output] = std::visit(
        [&](const auto& operation) { return lowered(*this, node, operation); }, node.operation);
}

int Builder::real(ValueId id) {
  if (const auto found = reals_.find(id); found != reals_.end()) return found->second;
  const int value = is_image(id) ? normalized_image(*this) : dequantized(*this, id);
  reals_[id] = value;
  return value;
}

std::array<int, 3> shape_of(const graph::Dims& dims) {
  const auto side = [&](size_t axis) {
    return axis < dims.size() ? static_cast<int>(dims[axis]) : 1;
  };
  return {side(1), side(2), side(0)};
}

std::unique_ptr<packed::Window> window(int64_t kernel, int64_t stride, int64_t padding) {
  return std::make_unique<packed::Window>(static_cast<int>(kernel), static_cast<int>(stride),
                                          static_cast<int>(padding));
}

packed::BinaryT binary_of(int a, int b, packed::Arithmetic arithmetic) {
  packed::BinaryT binary;
  binary.a = a;
  binary.b = b;
  binary.arithmetic = arithmetic;
  return binary;
}

}  // namespace lowbit::deploy
