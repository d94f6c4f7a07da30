#include "lowbit/run/run_record.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "lowbit/config/write_config.h"
#include "lowbit/core/files.h"
#include "lowbit/core/json_text.h"
#include "lowbit/core/log.h"
#include "lowbit/run/event_log.h"

namespace lowbit::run {
namespace fs = std::filesystem;
namespace {

nlohmann::json to_json(const Accuracy& accuracy) {
  return {{"loss", accuracy.loss}, {"top1", accuracy.top1}, {"top5", accuracy.top5}};
}

nlohmann::json run_json(const config::Configuration& configuration, const RunFiles& files) {
  nlohmann::json settings = nlohmann::json::array();
  for (const config::Setting& setting : configuration.settings)
    settings.push_back(
        {{"name", setting.name}, {"value", setting.value}, {"source", setting.source}});
  return {{"arguments", configuration.arguments},
          {"settings", std::move(settings)},
          {"model", configuration.options.model.name},
          {"case", configuration.options.train.case_name},
          {"checkpoint", fs::absolute(files.checkpoint).string()},
          {"working_folder", fs::current_path().string()}};
}

}  // namespace

RunRecord::RunRecord(const config::Configuration& configuration, RunFiles files)
    : configuration_(configuration), files_(std::move(files)) {}

RunRecord::~RunRecord() = default;

void RunRecord::start(int epoch, const std::optional<Accuracy>& full_precision_start,
                      models::Network& network, const torch::Tensor& images) {
  write_run(full_precision_start);
  core::replace_file(files_.config, config::config_text(configuration_));
  truncate_metrics(files_.metrics, epoch);
  truncate_layers(files_.layers, epoch);
  if (options().tensorboard) events_ = std::make_unique<EventLog>(files_.folder, epoch);
  images_ = images;
  if (options().verbose) log_lines(models::layer_statistics(network, images_));
  last_row_ = std::chrono::steady_clock::now();
}

// A run that goes on does not measure its start again.
void RunRecord::write_run(const std::optional<Accuracy>& full_precision_start) const {
  nlohmann::json run = run_json(configuration_, files_);
  if (full_precision_start) {
    run["full_precision_start"] = to_json(*full_precision_start);
  } else if (options().resume && core::is_file(files_.run)) {
    try {
      run["full_precision_start"] =
          core::parse_json(core::read_file(files_.run)).at("full_precision_start");
    } catch (const nlohmann::json::exception&) {  // it was not measured, or the file is damaged
    }
  }
  core::replace_file(files_.run, core::json_text(run, 1) + "\n");
}

void RunRecord::add(EpochMetrics metrics, models::Network& network) {
  const std::vector<models::QuantizerStatistics> layers =
      models::layer_statistics(network, images_);
  const auto now = std::chrono::steady_clock::now();
  metrics.seconds = std::chrono::duration<double>(now - last_row_).count();
  last_row_ = now;
  append_metrics(files_.metrics, metrics);
  append_layers(files_.layers, metrics.epoch, layers);
  if (options().verbose) log_lines(layers);
  if (events_) events_->add(metrics, layers);
}

void RunRecord::log_lines(const std::vector<models::QuantizerStatistics>& layers) const {
  for (const models::QuantizerStatistics& layer : layers)
    core::log().debug("  {}", models::to_line(layer));
}

}  // namespace lowbit::run
