#include "graph.h"

#include <bit>
#include <type_traits>

namespace lowbit::onnx {
namespace {

static_assert(std::endian::native == std::endian::little, "raw data of tensors is little-endian");

template <class Number>
std::string raw_of(std::span<const Number> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

void set_attribute(proto::AttributeProto& to, const Attribute& from) {
  to.set_name(from.name);
  std::visit(
      [&to](const auto& value) {
        using Type = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<Type, int64_t>) {
          to.set_type(proto::AttributeProto::INT);
          to.set_i(value);
        } else if constexpr (std::is_same_v<Type, float>) {
          to.set_type(proto::AttributeProto::FLOAT);
          to.set_f(value);
        } else if constexpr (std::is_same_v<Type, std::string>) {
          to.set_type(proto::AttributeProto::STRING);
          to.set_s(value);
        } else {
          to.set_type(proto::AttributeProto::INTS);
          for (const int64_t number : value) to.add_ints(number);
        }
      },
      from.value);
}

void describe(proto::ValueInfoProto& info, const std::string& name, const Shape& shape) {
  info.set_name(name);
  proto::TypeProto::Tensor& type = *info.mutable_type()->mutable_tensor_type();
  type.set_elem_type(proto::TensorProto::FLOAT);
  type.mutable_shape()->add_dim()->set_dim_param("N");
  for (const int64_t side : shape) type.mutable_shape()->add_dim()->set_dim_value(side);
}

}  // namespace

void Graph::begin_layer(const std::string& name) {
  layer_ = name;
}

std::string Graph::unique(const std::string& wanted) {
  std::string name = wanted;
  for (int number = 2; !names_.insert(name).second; ++number)
    name = wanted + "_" + std::to_string(number);
  return name;
}

std::string Graph::add(const char* op, std::vector<std::string> inputs,
                       const std::vector<Attribute>& attributes) {
  const std::string name = unique(layer_.empty() ? op : layer_ + "/" + op);
  proto::NodeProto& node = *graph_.add_node();
  node.set_op_type(op);
  node.set_name(name);
  for (std::string& input : inputs) node.add_input(std::move(input));
  node.add_output(name);
  for (const Attribute& attribute : attributes) set_attribute(*node.add_attribute(), attribute);
  return name;
}

std::string Graph::number(float value) {
  return floats({&value, 1}, {});
}

std::string Graph::byte(uint8_t value) {
  return bytes({&value, 1}, {});
}

std::string Graph::floats(std::span<const float> values, const Shape& shape) {
  return tensor(proto::TensorProto::FLOAT, shape, raw_of(values));
}

std::string Graph::bytes(std::span<const uint8_t> values, const Shape& shape) {
  return tensor(proto::TensorProto::UINT8, shape, raw_of(values));
}

std::string Graph::integers(const Shape& values) {
  return tensor(proto::TensorProto::INT64, {static_cast<int64_t>(values.size())},
                raw_of(std::span(values)));
}

std::string Graph::tensor(proto::TensorProto::DataType type, const Shape& shape, std::string raw) {
  proto::TensorProto tensor;
  tensor.set_data_type(type);
  for (const int64_t side : shape) tensor.add_dims(side);
  tensor.set_raw_data(std::move(raw));
  std::string& name = constants_[tensor.SerializeAsString()];
  if (name.empty()) {
    name = unique(layer_ + "/constant");
    tensor.set_name(name);
    *graph_.add_initializer() = std::move(tensor);
  }
  return name;
}

std::string Graph::add_input(const std::string& name, const Shape& shape) {
  describe(*graph_.add_input(), unique(name), shape);
  return name;
}

void Graph::add_output(const std::string& name, const std::string& tensor, const Shape& shape) {
  proto::NodeProto& node = *graph_.add_node();
  node.set_op_type("Flatten");
  node.set_name(unique(name));
  node.add_input(tensor);
  node.add_output(name);
  describe(*graph_.add_output(), name, shape);
}

}  // namespace lowbit::onnx
