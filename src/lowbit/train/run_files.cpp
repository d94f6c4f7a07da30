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

std::optional<fs::path> find_first(const std::vector<fs::path>& places) {
  std::error_code ignored;
  for (const fs::path& place : places)
    if (fs::is_regular_file(place, ignored)) return place;
  return std::nullopt;
}

fs::path first_existing(const std::vector<fs::path>& places, const char* option) {
  if (const std::optional<fs::path> found = find_first(places)) return *found;
  std::string looked;
  for (const fs::path& place : places)
    looked += fmt::format("{}  looked for {}", looked.empty() ? "" : "\n", place.string());
  throw core::failure("{}: no file '{}'", option, places.back().string()).detail(looked);
}

}  // namespace

RunFiles::RunFiles(const config::Options& options)
    : log(fs::path(options.train.log_dir) / options.model.name /
          (options.train.case_name + ".log")),
      prefix_(model_folder(options) / options.train.case_name) {
  checkpoint = prefix_.string() + "-checkpoint.pth.tar";
  best = prefix_.string() + "-model_best.pth.tar";
}

fs::path RunFiles::copy(int epochs) const {
  return fmt::format("{}-epoch{}-checkpoint.pth.tar", prefix_.string(), epochs);
}

fs::path RunFiles::probe(int64_t iteration) const {
  fs::path folder = log;
  folder.replace_extension();  // .log
  return fs::path(folder.string() + "-probe") / fmt::format("iteration-{}.pth", iteration);
}

void RunFiles::make_folders() const {
  core::make_writable_folder(checkpoint.parent_path());
  core::make_writable_folder(log.parent_path());
}

fs::path find_pretrained(const config::Options& options) {
  const fs::path& name = options.train.pretrained;
  return first_existing(
      {model_folder(options) / name, fs::path(options.train.weights_dir) / name, name},
      "--pretrained");
}

std::optional<fs::path> find_resume_file(const config::Options& options) {
  const fs::path& name = options.train.resume_file;
  const fs::path folder = model_folder(options);
  const std::vector<fs::path> places = {folder / (options.train.case_name + "-" + name.string()),
                                        folder / name, name};
  if (name == config::TrainOptions().resume_file) return find_first(places);
  return first_existing(places, "--resume_file");
}

}  // namespace lowbit::train
