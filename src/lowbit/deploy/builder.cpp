#include "lowbit/deploy/builder.h"

#include "lowbit/core/error.h"
#include "lowbit/deploy/operations.h"

namespace lowbit::deploy {

Builder::Builder(const Trace& trace, const LowerOptions& options)
    : trace_(trace), options_(options) {
  model_.version = 1;
  model_.network = options.network;
  model_.classes = options.classes;
  model_.preprocessing = std::make_unique<packed::PreprocessingT>();
  model_.preprocessing->resize = options.resize;
  add_value(packed::Kind::code, trace.input(), kByteLevels, "image");
}

void Builder::refuse(const Node& node, const std::string& why) const {
  const std::string layer = trace_.layer_of(node.output);
  throw core::failure("the packed format has no '{}'{}: {}", node.op,
                      layer.empty() ? "" : " of layer '" + layer + "'", why);
}

void Builder::add_value(packed::Kind kind, const torch::Tensor& like, int levels,
                        const std::string& name) {
  const auto [height, width, channels] = shape_of(like);
  auto value = std::make_unique<packed::ValueT>();
  value->kind = kind;
  value->height = height;
  value->width = width;
  value->channels = channels;
  value->levels = levels;
  value->name = name;
  model_.values.push_back(std::move(value));
}

void Builder::name_value(int value, std::string name) {
  model_.values[static_cast<size_t>(value)]->name = std::move(name);
}

int Builder::real(const torch::Tensor& tensor) {
  const Key key = tensor.unsafeGetTensorImpl();
  if (const auto found = reals_.find(key); found != reals_.end()) return found->second;
  const int value = make_real(tensor);
  reals_[key] = value;
  return value;
}

const Codes& Builder::codes(const Node& quantizer) {
  const Key key = quantizer.output.unsafeGetTensorImpl();
  if (const auto found = codes_.find(key); found != codes_.end()) return found->second;
  Codes codes = quantized(*this, quantizer);
  return codes_.emplace(key, std::move(codes)).first->second;
}

std::array<int, 3> shape_of(const torch::Tensor& tensor) {
  const auto side = [&](int64_t dim) {
    return dim < tensor.dim() ? static_cast<int>(tensor.size(dim)) : 1;
  };
  return {side(2), side(3), side(1)};
}

double number(const Node& node, size_t input) {
  const c10::IValue& value = node.inputs.at(input);
  if (value.isNone()) return 0;
  if (value.isTensor()) return value.toTensor().item<double>();
  return value.toScalar().toDouble();
}

int64_t first(const c10::IValue& value) {
  return value.isInt() ? value.toInt() : value.toIntVector().at(0);
}

std::unique_ptr<packed::Window> window(int kernel, int stride, int padding) {
  return std::make_unique<packed::Window>(kernel, stride, padding);
}

packed::BinaryT binary_of(int a, int b, packed::Arithmetic arithmetic) {
  packed::BinaryT binary;
  binary.a = a;
  binary.b = b;
  binary.arithmetic = arithmetic;
  return binary;
}

}  // namespace lowbit::deploy
