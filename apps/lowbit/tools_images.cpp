// lowbit tools verify-data | verify-image: pictures that a run could not read.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <sstream>

#include "lowbit/config/parse.h"
#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/core/threads.h"
#include "lowbit/data/dataset.h"
#include "lowbit/data/image_files.h"
#include "lowbit/data/verify.h"
#include "tool_call.h"
#include "tools.h"

namespace lowbit::app {
namespace {

namespace fs = std::filesystem;

// All cores, unless --workers says fewer.
int threads_of(const config::Options& options) {
  return std::min(options.data.workers, core::usable_cores());
}

config::Options values_of(const ToolCall& call) {
  config::Options defaults;
  defaults.data.workers = std::numeric_limits<int>::max();
  return config::parse_values(call.network, defaults);
}

int report(size_t images, size_t bad) {
  fmt::print("{} images, {} bad\n", images, bad);
  return bad == 0 ? 0 : 1;
}

int verify_files(const std::vector<fs::path>& files, int threads) {
  const bool terminal = ::isatty(STDERR_FILENO);
  const auto show = [&](size_t done) {
    if (terminal) fmt::print(stderr, "\r{} of {} images\033[K", done, files.size());
  };
  const std::vector<data::BadImage> bad = data::find_bad_images(files, threads, show);
  if (terminal) fmt::print(stderr, "\r\033[K");
  for (const data::BadImage& image : bad)
    fmt::print("bad: {}: {}\n", image.path.string(), image.reason);
  return report(files.size(), bad.size());
}

// A data set whose images are not files of their own: its reader looks at every record.
int verify_set(const config::DataOptions& options) {
  size_t images = 0, bad = 0;
  for (const data::Split split : {data::Split::train, data::Split::validation}) {
    try {
      images += static_cast<size_t>(data::load(options, split).size());
    } catch (const core::Error& error) {
      if (error.kind() == core::ErrorKind::usage) throw;
      fmt::print("bad: {}\n", error.what());
      ++bad;
    }
  }
  return report(images, bad);
}

bool has_files_of_its_own(const std::string& dataset) {
  return dataset != "imagenet" && dataset != "dali";
}

}  // namespace

int verify_data(const Arguments& arguments) {
  const auto call =
      read_tool_call("verify-data", "decode every image of a data set, on all cores", arguments);
  if (!call) return 0;
  const config::Options options = values_of(*call);
  const fs::path root = options.data.root;
  if (!root.empty() && core::is_file(root / "train.txt"))
    return verify_files(data::listed_images(root / "train.txt", root), threads_of(options));
  if (has_files_of_its_own(options.data.dataset)) return verify_set(options.data);
  call->require(options.data.root, "--root");
  return verify_files(data::images_in_class_folders(root), threads_of(options));
}

int verify_image(const Arguments& arguments) {
  const auto call =
      read_tool_call("verify-image", "decode the images of --verbose_list", arguments);
  if (!call) return 0;
  const config::Options options = values_of(*call);
  std::vector<fs::path> files;
  std::error_code ignored;
  std::istringstream names(call->require(call->verbose_list, "--verbose_list"));
  for (std::string name; std::getline(names, name, ',');)
    if (!name.empty())
      files.push_back(fs::exists(name, ignored) || options.data.root.empty()
                          ? fs::path(name)
                          : options.data.root / fs::path(name));
  return verify_files(files, threads_of(options));
}

}  // namespace lowbit::app
