#include "lowbit/train/run_files.h"

#include <fmt/format.h>

#include <vector>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"

namespace lowbit::train {
namespace fs = std::filesystem;
namespace {

fs::path model_folder(const config::Options& options) {
  return fs::path(options.train.weights_dir) / options.model.name;
}

fs::path first_existing(const std::vector<fs::path>& places, const char* option) {
  std::string looked;
  for (const fs::path& place : places) {
    std::error_code ignored;
    if (fs::is_regular_file(place, ignored)) return place;
    looked += fmt::format("{}  looked for {}", looked.empty() ? "" : "\n", place.string());
  }
  throw core::failure("{}: no file '{}'", option, places.back().string()).detail(looked);
}

}  // namespace

RunFiles::RunFiles(const config::Options& options)
    : folder(fs::path(options.train.log_dir) / options.model.name / options.train.case_name),
      log(folder / "train.log"),
      config(folder / "config"),
      run(folder / "run.json"),
      metrics(folder / "metrics.csv"),
      layers(folder / "layers.csv"),
      prefix_(model_folder(options) / options.train.case_name) {
  checkpoint = prefix_.string() + "-checkpoint.pth.tar";
  best = prefix_.string() + "-model_best.pth.tar";
}

fs::path RunFiles::copy(int epochs) const {
  return fmt::format("{}-epoch{}-checkpoint.pth.tar", prefix_.string(), epochs);
}

void RunFiles::make_folders() const {
  core::make_writable_folder(checkpoint.parent_path());
  core::make_writable_folder(folder);
}

fs::path find_pretrained(const config::Options& options) {
  const fs::path& name = options.train.pretrained;
  return first_existing(
      {model_folder(options) / name, fs::path(options.train.weights_dir) / name, name},
      "--pretrained");
}

fs::path find_resume_file(const config::Options& options) {
  const fs::path& name = options.train.resume_file;
  const fs::path folder = model_folder(options);
  return first_existing(
      {folder / (options.train.case_name + "-" + name.string()), folder / name, name},
      "--resume_file");
}

}  // namespace lowbit::train
