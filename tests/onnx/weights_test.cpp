#include "lowbit/onnx/weights.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lowbit::onnx {
namespace {

// One output channel of these integers: the graph that carries them, and what carry() says of it.
struct Carried {
  proto::GraphProto graph;
  CarriedWeights weights;
};

Carried carried(const std::vector<int8_t>& integers, const SumUnits& units, Weights width) {
  const packed::ModelT model;
  flatbuffers::FlatBufferBuilder file;
  file.Finish(packed::Model::Pack(file, &model));
  const Options options{.mean = {}, .std = {}, .weights = width, .version = "0"};
  Translation to{model, *packed::GetModel(file.GetBufferPointer()), options, {}, {}};
  const auto count = static_cast<int64_t>(integers.size());
  CarriedWeights weights = carry(to, {integers, {1, count, 1, 1}}, units);
  return {to.graph.take(), std::move(weights)};
}

proto::TensorProto::DataType type_of(const std::vector<int8_t>& integers, Weights width) {
  const Carried result = carried(integers, {.coefficients = {0.25}, .bias = {}}, width);
  for (const proto::TensorProto& tensor : result.graph.initializer())
    if (tensor.dims_size() == 4)
      return static_cast<proto::TensorProto::DataType>(tensor.data_type());
  return proto::TensorProto::UNDEFINED;
}

TEST(Carry, TakesTheNarrowestTypeThatHoldsTheIntegers) {
  EXPECT_EQ(type_of({-2, 1}, Weights::int2), proto::TensorProto::INT2);
  EXPECT_EQ(type_of({-1, 2}, Weights::int2), proto::TensorProto::UINT2);
  EXPECT_EQ(type_of({-2, 2}, Weights::int2), proto::TensorProto::INT4);
  EXPECT_EQ(type_of({-8, 7}, Weights::int4), proto::TensorProto::INT4);
  EXPECT_EQ(type_of({-7, 8}, Weights::int4), proto::TensorProto::UINT4);
  EXPECT_EQ(type_of({-1, 1}, Weights::int4), proto::TensorProto::INT4);
  EXPECT_EQ(type_of({-8, 8}, Weights::int4), proto::TensorProto::UINT8);
}

TEST(Carry, MakesTheUnitLargerWhereTheBiasWouldHaveTooManyOfIt) {
  for (const double bias : {0.001, 1.0, -1.0}) {
    const Carried result =
        carried({-3, 1}, {.coefficients = {1e-9}, .bias = {bias}}, Weights::int8);
    EXPECT_LE(std::abs(bias) / static_cast<double>(result.weights.scales.at(0)), 0x1.001p29);
  }
}

}  // namespace
}  // namespace lowbit::onnx
