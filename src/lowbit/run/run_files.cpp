#include "lowbit/run/run_files.h"

#include <fmt/format.h>

#include <vector>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"

namespace lowbit::run {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kCopySuffix = "-checkpoint.pth.tar";

fs::path model_folder(const config::Options& options) {
  return fs::path(options.train.weights_dir) / options.model.name;
}

// Empty if there is none.
fs::path first_existing(const std::vector<fs::path>& places) {
  for (const fs::path& place : places)
    if (core::is_file(place)) return place;
  return {};
}

fs::path require_one(const std::vector<fs::path>& places, const char* option) {
  if (fs::path found = first_existing(places); !found.empty()) return found;
  core::Error error = core::failure("{}: no file '{}'", option, places.back().string());
  for (const fs::path& place : places) error.detail("  looked for " + place.string());
  throw error;
}

}  // namespace

RunFiles::RunFiles(const config::Options& options)
    : folder(fs::path(options.train.log_dir) / options.model.name / options.train.case_name),
      log(folder / "train.log"),
      config(folder / "config"),
      run(folder / kRunFile),
      metrics(folder / kMetricsFile),
      layers(folder / kLayersFile),
      prefix_(model_folder(options) / options.train.case_name) {
  checkpoint = prefix_.string() + "-checkpoint.pth.tar";
  previous = prefix_.string() + "-checkpoint-previous.pth.tar";
  lock = prefix_.string() + ".lock";
  best = prefix_.string() + "-model_best.pth.tar";
  packed = prefix_.string() + ".lowbit";
}

fs::path RunFiles::copy(int epoch) const {
  return fmt::format("{}-epoch{}{}", prefix_.string(), epoch, kCopySuffix);
}

fs::path RunFiles::probe(int64_t iteration) const {
  return folder / "probe" / fmt::format("iteration-{}.pth", iteration);
}

void RunFiles::make_folders() const {
  core::make_writable_folder(checkpoint.parent_path());
  core::make_writable_folder(folder);
  for (const fs::path& file :
       {checkpoint, previous, best, packed, lock, log, config, run, metrics, layers})
    core::require_writable(file, core::Special::refused);
  for (const auto& entry : fs::directory_iterator(checkpoint.parent_path()))
    if (is_copy(entry.path().string()))
      core::require_writable(entry.path(), core::Special::refused);
}

core::FileLock RunFiles::lock_files() const {
  return {lock, fmt::format("'{}'", checkpoint.string())};
}

void RunFiles::remove_unfinished() const {
  core::remove_unfinished(checkpoint.parent_path(), [this](const fs::path& path) {
    return path == checkpoint || path == previous || path == best || path == packed ||
           is_copy(path.string());
  });
  for (const fs::path& file : {checkpoint, previous, best, packed})
    if (const fs::path target = core::behind_links(file); target != file)
      core::remove_unfinished(target.parent_path(),
                              [&](const fs::path& path) { return path == target; });
}

bool RunFiles::is_copy(std::string_view path) const {
  const std::string begin = prefix_.string() + "-epoch";
  if (!path.starts_with(begin) || !path.ends_with(kCopySuffix)) return false;
  path.remove_prefix(begin.size());
  return path.find_first_not_of("0123456789") == path.size() - kCopySuffix.size();
}

fs::path find_weights(const config::TrainOptions& options, const std::string& model,
                      const std::string& name, const char* option) {
  const fs::path folder = options.weights_dir;
  return require_one({folder / model / name, folder / name, name}, option);
}

fs::path find_pretrained(const config::Options& options) {
  return find_weights(options.train, options.model.name, options.train.pretrained, "--pretrained");
}

fs::path find_resume_file(const config::Options& options) {
  const fs::path& name = options.train.resume_file;
  const fs::path folder = model_folder(options);
  if (name == config::TrainOptions().resume_file) {
    const RunFiles files(options);
    return first_existing({files.checkpoint, files.previous, folder / name, name});
  }
  return require_one(
      {folder / (options.train.case_name + "-" + name.string()), folder / name, name},
      "--resume_file");
}

}  // namespace lowbit::run
