#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lowbit/core/json_text.h"
#include "lowbit/core/unicode.h"
#include "lowbit/onnx/writer.h"
#include "onnx.pb.h"
#include "support/random_values.h"

namespace lowbit::onnx {
namespace {

std::unique_ptr<packed::ValueT> value(packed::Kind kind, int side, const std::string& name) {
  auto result = std::make_unique<packed::ValueT>();
  result->kind = kind;
  result->height = result->width = side;
  result->channels = 3;
  result->levels = kind == packed::Kind::code ? 256 : 0;
  result->name = name;
  return result;
}

// The mean of each color, for three classes.
packed::ModelT model_of(const std::vector<std::string>& classes, const std::string& name) {
  packed::ModelT model;
  model.version = 1;
  model.network = name;
  model.classes = classes;
  model.values.push_back(value(packed::Kind::code, 4, ""));
  model.values.push_back(value(packed::Kind::real, 4, name));
  model.values.push_back(value(packed::Kind::real, 1, name));
  packed::NormalizeT normalize;
  normalize.mean = {0, 0, 0};
  normalize.std = {1, 1, 1};
  packed::MeanT mean;
  mean.input = 1;
  mean.over_pixels = true;
  for (int i = 0; i < 2; ++i) model.steps.push_back(std::make_unique<packed::StepT>());
  model.steps[0]->operation.Set(normalize);
  model.steps[1]->operation.Set(mean);
  return model;
}

TEST(Metadata, AnyNamesOfClassesComeBackAndEveryTextIsUtf8) {
  test_support::RandomValues random(9);
  for (int i = 0; i < 300; ++i) {
    const std::vector<std::string> classes = {random.text(), random.text(), random.text()};
    const std::string bytes = onnx_file(model_of(classes, random.text()), {.version = "0"});
    ::onnx::ModelProto file;
    ASSERT_TRUE(file.ParseFromString(bytes));
    for (const auto& property : file.metadata_props()) {
      EXPECT_TRUE(core::is_utf8(property.value())) << property.key();
      if (property.key() == "classes") {
        EXPECT_EQ(core::parse_json(property.value()).get<std::vector<std::string>>(), classes);
      }
    }
    EXPECT_TRUE(core::is_utf8(file.doc_string()));
    for (const auto& node : file.graph().node()) {
      EXPECT_TRUE(core::is_utf8(node.name()));
      for (const std::string& output : node.output()) EXPECT_TRUE(core::is_utf8(output));
    }
  }
}

}  // namespace
}  // namespace lowbit::onnx
