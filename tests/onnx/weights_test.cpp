#include "lowbit/onnx/weights.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lowbit::onnx {
namespace {

proto::TensorProto::DataType type_of(const std::vector<int8_t>& integers, Weights width,
                                     int largest_input = 3) {
  const packed::ModelT model;
  flatbuffers::FlatBufferBuilder file;
  file.Finish(packed::Model::Pack(file, &model));
  const Options options{.mean = {}, .std = {}, .weights = width, .version = "0"};
  Translation to{model, *packed::GetModel(file.GetBufferPointer()), options, {}, {}};
  carry_integers(to, {integers, {1, static_cast<int64_t>(integers.size()), 1, 1}}, largest_input);
  const proto::GraphProto graph = to.graph.take();
  for (const proto::TensorProto& tensor : graph.initializer())
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
  EXPECT_EQ(type_of({-8, 8}, Weights::int4), proto::TensorProto::INT8);
}

TEST(Carry, IsUnsignedWherePairsOfProductsDoNotFitInto16Bits) {
  EXPECT_EQ(type_of({-127, 127}, Weights::int8, 15), proto::TensorProto::INT8);
  EXPECT_EQ(type_of({-127, 127}, Weights::int8, 255), proto::TensorProto::UINT8);
}

TEST(Carry, MakesTheUnitLargerWhereTheBiasWouldHaveTooManyOfIt) {
  for (const double bias : {0.001, 1.0, -1.0}) {
    const CarriedWeights carried =
        scaled_bytes({{-3, 1}, {1, 2, 1, 1}}, {.coefficients = {1e-9}, .bias = {bias}});
    EXPECT_LE(std::abs(bias) / static_cast<double>(carried.scales.at(0)), 0x1.001p29);
  }
}

}  // namespace
}  // namespace lowbit::onnx
