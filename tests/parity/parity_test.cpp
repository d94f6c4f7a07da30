#include "lowbit/parity/parity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "lowbit/core/error.h"
#include "lowbit/parity/name_fill.h"
#include "support/recorded_networks.h"

namespace lowbit::parity {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const fs::path kGolden = fs::path(LOWBIT_SOURCE_DIR) / "tests" / "golden";

class Golden : public testing::TestWithParam<fs::path> {};

TEST_P(Golden, AgreesWithTheOriginalInFloat64) {
  const auto result = run_parity(GetParam(), ToleranceTable::read(kGolden / "tolerances.json"));
  EXPECT_TRUE(result.ok) << format_line(result);
}

TEST_P(Golden, AgreesOnAGpuInFloat64) {
  if (!torch::cuda::is_available()) GTEST_SKIP() << "no GPU";
  const auto result = run_parity(GetParam(), ToleranceTable::read(kGolden / "tolerances.json"),
                                 {.device = torch::kCUDA});
  EXPECT_TRUE(result.ok) << format_line(result);
}

INSTANTIATE_TEST_SUITE_P(Cases, Golden, testing::ValuesIn(testing_support::recorded()),
                         testing_support::file_name);

// A quantized network in float32 may round a tie the other way, so only full precision is bounded.
TEST(Parity, Float32StaysNearFloat64InFullPrecision) {
  for (const char* name : {"x.r20_.json", "config.dorefa.eval.imagenet.fp.resnet18.cbsa.json"}) {
    const auto result = run_parity(kGolden / name, {}, {.type = torch::kFloat32});
    EXPECT_LT(result.logits, 1e-4) << name;
    EXPECT_LT(result.loss, 1e-5) << name;
    EXPECT_LT(result.gradients, 1e-2) << name;
    EXPECT_LT(result.eval_logits, 1e-4) << name;
    EXPECT_LT(result.state, 1e-5) << name;
  }
}

// A golden case, changed; the file is removed with the object.
class ChangedCase {
 public:
  template <class Change>
  explicit ChangedCase(Change change)
      : path_(fs::temp_directory_path() / ("lowbit_case_" + std::to_string(getpid()))) {
    auto json = nlohmann::ordered_json::parse(std::ifstream(kGolden / "x.r20_.json"));
    change(json);
    std::ofstream(path_) << json;
  }
  ~ChangedCase() { fs::remove(path_); }
  ParityResult run() const { return run_parity(path_); }

 private:
  fs::path path_;
};

TEST(Parity, ADeviationIsNamedWithItsBound) {
  const ChangedCase logits([](auto& json) { json["train_logits"][1][2] = 0.5; });
  EXPECT_THAT(format_line(logits.run()), HasSubstr("FAIL logits "));
  const ChangedCase loss([](auto& json) { json["loss"] = 2.0; });
  EXPECT_THAT(format_line(loss.run()), HasSubstr("FAIL loss "));
  const ChangedCase gradient([](auto& json) { json["grads"]["conv1.weight"][1] = 77.0; });
  EXPECT_THAT(format_line(gradient.run()), HasSubstr("FAIL gradients "));
  const ChangedCase state([](auto& json) { json["state_after"]["bn1.0.running_var"][0] = 77.0; });
  EXPECT_THAT(format_line(state.run()), HasSubstr("FAIL state "));
}

TEST(Parity, AnotherShapeOfATensorIsNamed) {
  const ChangedCase changed([](auto& json) { json["keys"]["fc.bias"] = {11}; });
  const ParityResult result = changed.run();
  EXPECT_FALSE(result.ok);
  EXPECT_THAT(result.message, HasSubstr("fc.bias [10], of the record fc.bias [11]"));
}

TEST(Parity, WhatCannotBeBuiltFailsWithItsName) {
  const ChangedCase changed(
      [](auto& json) { json["options"] = "--model resnet20 --keyword cifar10,cbas,fixupp"; });
  const ParityResult result = changed.run();
  EXPECT_FALSE(result.ok);
  EXPECT_THAT(result.message, HasSubstr("fixupp"));
}

TEST(Parity, AFileThatIsNoCaseFails) {
  EXPECT_THAT(run_parity(kGolden / "tolerances.json").message, HasSubstr("no parity case"));
  EXPECT_THAT(run_parity("/nowhere/case.json").message, HasSubstr("/nowhere/case.json"));
}

TEST(ToleranceTable, AnswersByName) {
  const auto table = ToleranceTable::read(kGolden / "tolerances.json");
  EXPECT_EQ(table.of("x.any", false).gradients, 1e-5);
  EXPECT_EQ(table.of("x.any", /*uses_lq=*/true).logits, 1e-4);
  EXPECT_EQ(table.of("x.r34_", false).gradients, 1e-2);
  EXPECT_FALSE(table.of("config.group-net.eval", false).compare_gradients);
  EXPECT_TRUE(table.of("x.order.cbas", false).compare_gradients);
}

TEST(ToleranceTable, AFileOfAnotherFormIsAnErrorWithItsName) {
  const fs::path path = fs::temp_directory_path() / ("lowbit_table_" + std::to_string(getpid()));
  for (const char* text : {"{", R"({"default": 3})", R"({"default": {"logit": 1}})"}) {
    std::ofstream(path) << text;
    try {
      ToleranceTable::read(path);
      ADD_FAILURE() << text;
    } catch (const core::Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(path.string()));
    }
  }
  fs::remove(path);
}

TEST(NameFill, IsAFunctionOfTheNameAndBlindToTheMemoryFormat) {
  const torch::Tensor plain = torch::zeros({4, 3, 2, 2});
  const torch::Tensor last = plain.contiguous(torch::MemoryFormat::ChannelsLast).clone();
  fill_from_name("a.weight", plain);
  fill_from_name("a.weight", last);
  EXPECT_TRUE(torch::equal(plain, last));
  const torch::Tensor other = torch::zeros_like(plain);
  fill_from_name("b.weight", other);
  EXPECT_FALSE(torch::equal(plain, other));
}

TEST(NameFill, LeavesUnknownNamesAndIntegersAlone) {
  const torch::Tensor levels = torch::full({1}, 4.0);
  fill_from_name("q.level_num", levels);
  EXPECT_EQ(levels.item<double>(), 4);
  const torch::Tensor count = torch::full({}, 7, torch::kInt64);
  fill_from_name("bn.running_var", count);
  EXPECT_EQ(count.item<int64_t>(), 7);
}

}  // namespace
}  // namespace lowbit::parity
