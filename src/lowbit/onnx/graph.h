// A graph of ONNX as it grows: nodes, constants, names that are used once.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "onnx.pb.h"

namespace lowbit::onnx {

namespace proto = ::onnx;

using Shape = std::vector<int64_t>;

struct Attribute {
  const char* name;
  std::variant<int64_t, float, std::string, Shape> value;
};

class Graph {
 public:
  // Names of tensors and nodes from here on begin with it: the layer that they belong to.
  void begin_layer(const std::string& name);

  // The tensor that a node of this operator gives.
  std::string add(const char* op, std::vector<std::string> inputs,
                  const std::vector<Attribute>& attributes = {});

  // Constants. A scalar has the empty shape. Of equal ones there is one.
  std::string number(float value);
  std::string byte(uint8_t value);
  std::string floats(std::span<const float> values, const Shape& shape);
  std::string bytes(std::span<const uint8_t> values, const Shape& shape);
  std::string integers(const Shape& values);
  // type: INT8, or a narrower one whose numbers lie packed in `raw`.
  std::string tensor(proto::TensorProto::DataType type, const Shape& shape, std::string raw);

  // Of the first dimension N and the others given. An input is named `name`; for an output a node
  // renames `tensor`.
  std::string add_input(const std::string& name, const Shape& shape);
  void add_output(const std::string& name, const std::string& tensor, const Shape& shape);

  proto::GraphProto take() { return std::move(graph_); }

 private:
  std::string unique(const std::string& wanted);

  proto::GraphProto graph_;
  std::string layer_;
  std::set<std::string> names_;
  std::map<std::string, std::string> constants_;  // serialized, to its name
};

}  // namespace lowbit::onnx
