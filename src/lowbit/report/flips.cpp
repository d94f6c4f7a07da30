#include "lowbit/report/flips.h"

#include <torch/types.h>

#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>

#include "lowbit/checkpoint/checkpoint_file.h"
#include "lowbit/config/parse.h"
#include "lowbit/core/error.h"
#include "lowbit/core/json_text.h"
#include "lowbit/data/batches.h"
#include "lowbit/models/evaluation.h"
#include "lowbit/models/factory.h"
#include "lowbit/report/markup.h"
#include "lowbit/run/loaded_network.h"
#include "lowbit/run/run_files.h"
#include "lowbit/tensor/tensor.h"
#include "lowbit/train/device.h"
#include "lowbit/train/step.h"

namespace lowbit::report {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kBatch = 100;
constexpr auto kArithmetic = exec::Arithmetic::whole_numbers;

// Relative folders are those of the run, wherever the report is made.
void resolve(const fs::path& working_folder, std::string& path) {
  std::error_code ignored;
  if (!path.empty() && fs::path(path).is_relative() && !fs::exists(path, ignored))
    path = (working_folder / path).string();
}

config::Options options_of(const RunData& run, const std::vector<std::string>& command_line) {
  const nlohmann::json description = {{"arguments", run.arguments}};
  config::Options options =
      config::Configuration::from_json(core::json_text(description), command_line).options;
  resolve(run.working_folder, options.data.root);
  resolve(run.working_folder, options.train.weights_dir);
  options.train.precision = config::Precision::fp32;
  return options;
}

std::shared_ptr<models::Network> load(const config::ModelOptions& model, const fs::path& path,
                                      torch::Device device) {
  const auto network =
      run::load_network(model, checkpoint::read_checkpoint(path), path.string()).network;
  network->to(device, torch::kFloat32);
  network->eval();
  return network;
}

// The samples of a set in batches of float32, on a device.
class Images {
 public:
  Images(const config::Options& options, torch::Device device)
      : step_{device, torch::kFloat32, /*capture=*/false},
        mean_(options.data.mean),
        std_(options.data.std),
        source_(data::open_batches(options.data, data::Split::validation, options.train.seed,
                                   tensor::backend(device), device)) {}

  int64_t size() const { return source_->size(); }
  const std::string& class_name(int64_t label) const {
    return source_->class_names().at(static_cast<size_t>(label));
  }

  train::Batch at(int64_t first, int64_t count) {
    const train::Batch batch = train::make_batch(count, *source_, step_);
    source_->assemble_at(first, batch.images, batch.targets);
    return batch;
  }

  // As a person sees it: the normalization taken back.
  std::string picture(int64_t index) {
    const auto column = [](const std::array<double, 3>& values) {
      return torch::tensor({values[0], values[1], values[2]}, torch::kFloat32).view({3, 1, 1});
    };
    const torch::Tensor image = at(index, 1).images[0].cpu() * column(std_) + column(mean_);
    const torch::Tensor pixels =
        (image * 255).round().clamp(0, 255).to(torch::kUInt8).permute({1, 2, 0}).contiguous();
    return png_data_uri(pixels.const_data_ptr<uint8_t>(), static_cast<int>(pixels.size(1)),
                        static_cast<int>(pixels.size(0)));
  }

 private:
  train::StepOptions step_;
  std::array<double, 3> mean_, std_;
  std::unique_ptr<data::BatchSource> source_;
};

// int64 [N] each, on the CPU.
struct Predictions {
  torch::Tensor labels, before, after;
};

Predictions predict(Images& images, models::Network& before, models::Network& after) {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> labels, of_before, of_after;
  for (int64_t first = 0; first < images.size(); first += kBatch) {
    const train::Batch batch = images.at(first, std::min(kBatch, images.size() - first));
    const models::Evaluation evaluation(after);  // each batch meets the network as it was saved
    labels.push_back(batch.targets.cpu());
    of_before.push_back(before.forward(batch.images, kArithmetic).argmax(1).cpu());
    of_after.push_back(after.forward(batch.images, kArithmetic).argmax(1).cpu());
  }
  return {torch::cat(labels), torch::cat(of_before), torch::cat(of_after)};
}

Flips compare(Images& images, const Predictions& p, size_t most) {
  Flips flips;
  std::vector<int64_t> lost;
  const auto *label = p.labels.const_data_ptr<int64_t>(),
             *before = p.before.const_data_ptr<int64_t>(),
             *after = p.after.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < p.labels.numel(); ++i) {
    const bool was_right = before[i] == label[i], is_right = after[i] == label[i];
    ++(was_right  ? is_right ? flips.both_right : flips.lost
       : is_right ? flips.gained
                  : flips.both_wrong);
    if (!was_right || is_right) continue;
    lost.push_back(i);
    ++flips.lost_by_class[images.class_name(label[i])];
  }
  const size_t shown = std::min(most, lost.size());
  for (size_t k = 0; k < shown; ++k) {
    const int64_t i = lost[k * lost.size() / shown];
    flips.examples.push_back(
        {i, images.class_name(label[i]), images.class_name(after[i]), images.picture(i)});
  }
  return flips;
}

}  // namespace

Flips find_flips(const RunData& run, const std::vector<std::string>& command_line, size_t most) {
  Flips none;
  const config::Options options = options_of(run, command_line);
  const config::ModelOptions& model = options.model;
  if (!model.fm.enable && !model.wt.enable && !model.ot.enable) {
    none.missing = "the run quantizes nothing";
    return none;
  }
  if (options.train.pretrained.empty()) {
    none.missing = "the run did not start from full-precision weights (--pretrained)";
    return none;
  }
  try {
    const torch::Device device = train::choose_device(options.train);
    const train::DeviceScope scope(device, options.train);
    const auto before = load(models::full_precision(model), run::find_pretrained(options), device);
    const auto after = load(model, run.checkpoint, device);
    Images images(options, device);
    return compare(images, predict(images, *before, *after), most);
  } catch (const core::Error& error) {
    none.missing = error.what();
    return none;
  }
}

}  // namespace lowbit::report
