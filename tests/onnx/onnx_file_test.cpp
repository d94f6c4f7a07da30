#include <gtest/gtest.h>

#include <cstdlib>
#include <utility>
#include <vector>

#include "lowbit/checkpoint/checkpoint_file.h"
#include "lowbit/config/parse.h"
#include "lowbit/core/files.h"
#include "lowbit/data/batches.h"
#include "lowbit/onnx/writer.h"
#include "lowbit/run/loaded_network.h"
#include "lowbit/run/run_state.h"
#include "lowbit/runtime/container.h"
#include "lowbit/runtime/packed_network.h"
#include "support/proved_program.h"

namespace lowbit::onnx {
namespace fs = std::filesystem;
namespace {

using testing_support::kMean;
using testing_support::kStd;
using testing_support::noise_images;
using testing_support::normalized;

// For onnxruntime_test.py: where the files go, and what they are made of instead of the cases and
// the network here.
constexpr const char* kOutput = "LOWBIT_ONNX_OUTPUT";
constexpr const char* kCases = "LOWBIT_ONNX_CASES";
constexpr const char* kCheckpoint = "LOWBIT_ONNX_CHECKPOINT";

fs::path given(const char* variable) {
  const char* value = std::getenv(variable);
  return value ? fs::path(value) : fs::path();
}

void write_floats(const fs::path& path, const torch::Tensor& tensor) {
  const torch::Tensor whole = tensor.to(torch::kFloat32).contiguous();
  core::replace_file(path, {static_cast<const char*>(whole.const_data_ptr()),
                            static_cast<size_t>(whole.nbytes())});
}

constexpr std::pair<const char*, Weights> kWidths[] = {
    {"int8", Weights::int8}, {"int4", Weights::int4}, {"int2", Weights::int2}};

// [B, classes] of a program that has been proved.
torch::Tensor logits_of(const packed::ModelT& model, const torch::Tensor& pixels) {
  runtime::PackedNetwork network(runtime::seal(model), "auto", 1);
  const torch::Tensor logits =
      torch::empty({pixels.size(0), network.description().classes}, torch::kFloat32);
  network.run(pixels.const_data_ptr<uint8_t>(), static_cast<int>(pixels.size(0)),
              logits.mutable_data_ptr<float>());
  return logits;
}

// Networks of every family, method and keyword, with the weights of the parity cases.
class RecordedNetwork : public testing::TestWithParam<fs::path> {};

TEST_P(RecordedNetwork, BecomesAProgramThatGivesItsLogitsAndAnOnnxFileOfEveryForm) {
  constexpr double kBound = 0.2;
  const torch::NoGradGuard no_grad;
  const parity::ParityNetwork recorded = testing_support::evaluated_network(GetParam());
  const torch::Tensor pixels = noise_images(2, recorded.images.size(2));
  const torch::Tensor images = normalized(pixels);
  const deploy::TrainedGraph trained(*recorded.network, images);
  const fs::path output = given(kOutput);
  if (!output.empty()) fs::create_directories(output);
  const std::string name = GetParam().stem();
  for (const deploy::Ends ends : {deploy::Ends::int8, deploy::Ends::float32}) {
    const bool bytes = ends == deploy::Ends::int8;
    const std::string form = name + (bytes ? ".bytes" : ".reals");
    const packed::ModelT model =
        testing_support::proved_program(*recorded.network, trained, pixels, ends, kBound);
    size_t of_int8 = 0;
    for (const auto& [width, weights] : kWidths) {
      if (bytes && weights != Weights::int8) continue;  // the ends alone are another
      const std::string file =
          onnx_file(model, {.mean = kMean, .std = kStd, .weights = weights, .version = "0"});
      if (weights == Weights::int8) of_int8 = file.size();
      EXPECT_LE(file.size(), of_int8 + of_int8 / 20) << "narrow weights take less, not more";
      if (!output.empty()) core::replace_file(output / (form + "." + width + ".onnx"), file);
    }
    if (!output.empty()) write_floats(output / (form + ".program"), logits_of(model, pixels));
  }
  if (!output.empty()) write_floats(output / (name + ".images"), images);
}

INSTANTIATE_TEST_SUITE_P(Of, RecordedNetwork,
                         testing::ValuesIn(std::getenv(kCases)
                                               ? testing_support::recorded(given(kCases))
                                               : testing_support::recorded()),
                         testing_support::file_name);

class TrainedNetwork : public testing::TestWithParam<fs::path> {};

// The validation images of a checkpoint as its network sees them, and its logits for them.
TEST_P(TrainedNetwork, IsEvaluatedForOnnxRuntime) {
  const fs::path path = GetParam(), output = given(kOutput);
  const torch::NoGradGuard no_grad;
  const checkpoint::Value file = checkpoint::read_checkpoint(path);
  const config::Options options =
      config::Configuration::from_json(run::description_of(file, path).configuration, {}).options;
  const run::LoadedNetwork loaded = run::load_network(options.model, file, path);
  loaded.network->eval();
  const auto source = data::open_batches(options.data, data::Split::validation, /*seed=*/1,
                                         kernels::Backend::cpu, torch::kCPU);
  source->start_epoch(0);
  const int64_t count = source->size(), kBatch = 200;
  const torch::Tensor images =
      torch::empty({count, 3, source->height(), source->width()}, torch::kFloat32);
  const torch::Tensor labels = torch::empty({count}, torch::kInt64);
  std::vector<torch::Tensor> logits;
  for (int64_t first = 0; first < count; first += kBatch) {
    const int64_t part = std::min(kBatch, count - first);
    const torch::Tensor batch = images.narrow(0, first, part);
    source->assemble_at(first, batch, labels.narrow(0, first, part));
    logits.push_back(loaded.network->forward(batch));
  }
  write_floats(output / "images", images);
  write_floats(output / "labels", labels);
  write_floats(output / "trained", torch::cat(logits));
}

INSTANTIATE_TEST_SUITE_P(Given, TrainedNetwork,
                         testing::ValuesIn(std::getenv(kCheckpoint)
                                               ? std::vector<fs::path>{given(kCheckpoint)}
                                               : std::vector<fs::path>{}));
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(TrainedNetwork);

}  // namespace
}  // namespace lowbit::onnx
