#include "lowbit/report/run_data.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lowbit/checkpoint/checkpoint_file.h"
#include "lowbit/config/parse.h"
#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/core/json_text.h"
#include "lowbit/run/run_files.h"
#include "lowbit/run/run_state.h"

namespace lowbit::report {
namespace fs = std::filesystem;
namespace {

using run::kLayersFile;
using run::kMetricsFile;
using run::kRunFile;

bool is_run(const fs::path& folder) {
  return core::is_file(folder / kRunFile) && core::is_file(folder / kMetricsFile);
}

void read_description(const fs::path& path, RunData& run) {
  try {
    const nlohmann::json json = core::parse_json(core::read_file(path));
    run.name = json.at("model").get<std::string>() + "/" + json.at("case").get<std::string>();
    run.checkpoint = json.at("checkpoint").get<std::string>();
    run.working_folder = json.at("working_folder").get<std::string>();
    run.arguments = json.at("arguments").get<std::vector<std::string>>();
    for (const nlohmann::json& setting : json.at("settings"))
      run.settings[setting.at("name")] = setting.at("value");
    if (json.contains("full_precision_start"))
      run.full_precision_top1 = json.at("full_precision_start").at("top1").get<double>();
  } catch (const nlohmann::json::exception& error) {
    throw core::failure("not the description of a run").at(path.string()).detail(error.what());
  }
}

RunData read_run(const fs::path& folder) {
  RunData run;
  run.folder = folder;
  read_description(folder / kRunFile, run);
  run.epochs = run::read_metrics(folder / kMetricsFile);
  if (core::is_file(folder / kLayersFile)) run.layers = run::read_layers(folder / kLayersFile);
  return run;
}

// The folder of the run that wrote a checkpoint.
RunData run_of_checkpoint(const fs::path& path) {
  const std::string json =
      run::description_of(checkpoint::read_checkpoint(path), path.string()).configuration;
  const run::RunFiles files(config::Configuration::from_json(json).options);
  if (!is_run(files.folder))
    throw core::failure("{}: the folder of its run, '{}', is not here", path.string(),
                        files.folder.string())
        .detail("start from the folder that the run was started from, or name the run's folder");
  RunData run = read_run(files.folder);
  run.checkpoint = fs::absolute(path);
  return run;
}

std::string nearest_sibling(const fs::path& path) {
  std::vector<std::string> names;
  std::error_code ignored;
  const fs::path parent = path.has_parent_path() ? path.parent_path() : ".";
  for (const auto& entry : fs::directory_iterator(parent, ignored))
    names.push_back(entry.path().filename().string());
  return core::nearest_name(path.filename().string(), names);
}

}  // namespace

std::vector<models::QuantizerStatistics> RunData::last_layers() const {
  std::vector<models::QuantizerStatistics> result;
  for (const run::LayerRow& row : layers)
    if (row.epoch == layers.back().epoch) result.push_back(row.statistics);
  return result;
}

std::string RunData::setting(const std::string& option) const {
  const auto found = settings.find(option);
  return found == settings.end() ? "" : found->second;
}

std::vector<RunData> read_runs(const fs::path& path) {
  if (core::is_file(path)) return {run_of_checkpoint(path)};
  if (!core::is_folder(path))
    throw core::failure("no run, checkpoint or folder '{}'", path.string())
        .suggest(nearest_sibling(path));
  if (is_run(path)) return {read_run(path)};
  std::vector<fs::path> folders;
  std::error_code ignored;
  for (const auto& entry : fs::recursive_directory_iterator(
           path, fs::directory_options::skip_permission_denied, ignored))
    if (entry.is_directory(ignored) && is_run(entry.path())) folders.push_back(entry.path());
  if (folders.empty())
    throw core::failure("no run in the folder '{}'", path.string())
        .detail(
            "the folder of a run holds run.json and metrics.csv; `lowbit train` makes it under "
            "--log_dir");
  std::ranges::sort(folders);
  std::vector<RunData> runs;
  for (const fs::path& folder : folders) runs.push_back(read_run(folder));
  return runs;
}

}  // namespace lowbit::report
