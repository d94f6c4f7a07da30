#include "run_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "lowbit/core/error.h"
#include "lowbit/core/log.h"
#include "lowbit/data/dataset.h"
#include "lowbit/models/network_size.h"
#include "lowbit/run/run_files.h"
#include "lowbit/run/run_start.h"
#include "lowbit/train/device.h"
#include "lowbit/train/teacher.h"

namespace lowbit::app {
namespace {

bool quantized(const models::Network& network) {
  return !network.quantizers().empty();
}

// "2-bit weights, 2-bit activations"
std::string bits_text(const models::Network& network) {
  const auto number = [](int levels) {
    const int64_t bits = models::bits_of_levels(levels);
    return levels == 1 << bits ? fmt::format("{}-bit", bits) : fmt::format("{}-level", levels);
  };
  const auto one = [&](config::Tag tag, const char* name) {
    const models::LevelRange levels = network.levels(tag);
    if (levels.most == 0) return fmt::format("float {}", name);
    if (levels.fewest == levels.most) return fmt::format("{} {}", number(levels.most), name);
    return fmt::format("{} to {} {}", number(levels.fewest), number(levels.most), name);
  };
  return one(config::Tag::wt, "weights") + ", " + one(config::Tag::fm, "activations");
}

// Calls check with a function for each file that the run will read; it throws if there is none.
// `look_for_data`: data::require_files, or data::obtain_files, which may download: so the data come
// last, when nothing else is missing.
void for_each_input(const config::Options& options, const auto& look_for_data, const auto& check) {
  const config::DataOptions& data = options.data;
  const bool is_built = std::ranges::any_of(
      data::datasets(), [&data](const auto& entry) { return entry.name == data.dataset; });
  check([&] {
    const bool resumed = !run::find_start_file(options).empty();
    if (!resumed && !options.train.pretrained.empty()) run::find_pretrained(options);
  });
  if (!options.train.evaluate && !options.train.distill_teacher.empty())
    check([&] { train::find_teacher_weights(options); });
  if (is_built && data.val_batch >= 1) check([&] { look_for_data(data, data::Split::validation); });
  if (is_built && !options.train.evaluate) check([&] { look_for_data(data, data::Split::train); });
}

// This program as one calls it from here: "build/cpu/lowbit".
std::string program() {
  std::error_code unknown;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", unknown);
  if (unknown) return "lowbit";
  const auto near = std::filesystem::proximate(path, unknown);
  return unknown || near.native().starts_with("..") ? path.string() : near.string();
}

std::vector<std::string> next_steps(const config::Configuration& configuration,
                                    const run::RunFiles& files) {
  std::vector<std::string> commands = {
      fmt::format("{} eval {}", program(), files.checkpoint.string())};
  if (configuration.options.data.dataset == "fashion")
    commands.emplace_back(
        "bash train.sh config/config.lsq.finetune.cifar100.2bit.resnet20 --root "
        "FOLDER_OF_CIFAR_100");
  return commands;
}

}  // namespace

void use_classes_of_files(config::Configuration& configuration) {
  if (const auto classes = data::classes_in_files(configuration.options.data))
    configuration.use_classes(*classes, "classes of the data set's files");
}

void require_inputs(const config::Options& options) {
  train::choose_device(options.train);
  for_each_input(options, data::obtain_files, [](const auto& require) { require(); });
}

void warn_of_missing_files(const config::Options& options) {
  for_each_input(options, data::require_files, [](const auto& require) {
    try {
      require();
    } catch (const core::Error& error) {
      core::log().warn(error.what());
    }
  });
}

void evaluate(train::Trainer& trainer) {
  const run::Accuracy accuracy = trainer.evaluate();
  core::log().info("evaluate accuracy on dataset: top1({:.2f}) top5({:.2f})", accuracy.top1,
                   accuracy.top5);
}

void print_summary(const train::Trainer& trainer, const run::RunResult& result) {
  spdlog::logger& log = core::log();
  const models::NetworkSize size = models::network_size(trainer.network());
  const models::Network& network = trainer.network();
  log.info("");
  if (result.interrupted)
    log.info("stopped by signal {}; the same command with -r goes on", result.interrupted);
  if (result.full_precision_start)
    log.info("full-precision start  {:.2f} % top-1", result.full_precision_start->top1);
  if (result.last)
    log.info("{:<21} {:.2f} % top-1, {:.2f} % top-5; best {:.2f} % in epoch {}",
             quantized(network) ? "quantized network" : "network", result.last->top1,
             result.last->top5, result.best_top1, result.best_epoch);
  log.info("precision             {}", quantized(network) ? bits_text(network) : "float32");
  log.info("size                  {} as float32, {} packed ({:.1f} times smaller)",
           models::bytes_text(size.float_bytes), models::bytes_text(size.packed_bytes),
           static_cast<double>(size.float_bytes) / static_cast<double>(size.packed_bytes));
  if (result.images_per_second > 0)
    log.info("speed                 {:.0f} images/s in training", result.images_per_second);
  log.info("checkpoint            {}", trainer.files().checkpoint.string());
  log.info("log                   {}", trainer.files().log.string());
}

void print_next_steps(const config::Configuration& configuration, const run::RunFiles& files) {
  core::log().info("next:");
  for (const std::string& command : next_steps(configuration, files))
    core::log().info("  {}", command);
}

}  // namespace lowbit::app
