// lowbit tools verify-data | verify-image | pack-data: pictures that a run could not read, and all
// of a set in one file.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <sstream>

#include "lowbit/config/parse.h"
#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/core/interrupt.h"
#include "lowbit/core/threads.h"
#include "lowbit/data/dataset.h"
#include "lowbit/data/image_files.h"
#include "lowbit/data/imagenet.h"
#include "lowbit/data/pack.h"
#include "lowbit/data/verify.h"
#include "output.h"
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
  print("{} images, {} bad\n", images, bad);
  return bad == 0 ? 0 : 1;
}

// How many images are done, redrawn on a terminal and gone in the end.
class ImageCount {
 public:
  ~ImageCount() {
    if (terminal_) remove_line();
  }
  void show(size_t done, size_t all) const {
    if (terminal_) draw_line(fmt::format("{} of {} images", done, all));
  }

 private:
  const bool terminal_ = ::isatty(STDERR_FILENO);
};

void print_each(const char* what, const std::vector<data::BadImage>& images) {
  for (const data::BadImage& image : images) print("{}: {}: {}\n", what, image.name, image.reason);
}

// How many are bad.
size_t verify(const data::ImagesToVerify& images, int threads) {
  std::vector<data::BadImage> bad;
  {
    const ImageCount count;
    bad = data::find_bad_images(images, threads,
                                [&](size_t done) { count.show(done, images.count); });
  }
  print_each("bad", bad);
  return bad.size();
}

int verify_files(const std::vector<fs::path>& files, int threads) {
  return report(files.size(), verify(data::images_of(files), threads));
}

// A file of pack-data.
int verify_packed(const config::DataOptions& options, int threads) {
  size_t images = 0, bad = 0;
  for (const data::Split split : data::kSplits) {
    if (!data::has_images(options, split)) continue;
    const data::ImagesToVerify of_split = data::images_of(data::open_pictures(options, split));
    images += of_split.count;
    bad += verify(of_split, threads);
  }
  return report(images, bad);
}

// A data set whose images are not files of their own: its reader looks at every record.
int verify_set(const config::DataOptions& options) {
  size_t images = 0, bad = 0;
  for (const data::Split split : data::kSplits) {
    try {
      images += static_cast<size_t>(data::load(options, split).size());
    } catch (const core::Error& error) {
      if (error.kind() == core::ErrorKind::usage) throw;
      print("bad: {}\n", error.what());
      ++bad;
    }
  }
  return report(images, bad);
}

bool has_files_of_its_own(const std::string& dataset) {
  return dataset != "imagenet" && dataset != "dali";
}

data::PackOptions pack_options(const ToolCall& call, const config::Options& options) {
  return {.format = call.format == "raw" ? data::PackedFormat::pixels : data::PackedFormat::files,
          .side = call.side,
          .quality = call.quality,
          .skip_damaged = options.data.skip_damaged,
          .threads = threads_of(options)};
}

data::Packed pack(const fs::path& root, const fs::path& file, const data::PackOptions& options) {
  const ImageCount count;
  return data::pack_images(root, file, options,
                           [&](size_t done, size_t all) { count.show(done, all); });
}

void print_packed(const data::Packed& packed, const fs::path& file) {
  print_each("left out", packed.left_out);
  print("{}: {} training and {} validation images of {} classes, {:.1f} MB\n", file.string(),
        packed.train, packed.validation, packed.classes,
        static_cast<double>(fs::file_size(file)) * 1e-6);
  if (!packed.left_out.empty()) print("{} damaged images are left out\n", packed.left_out.size());
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
  if (core::is_file(root)) return verify_packed(options.data, threads_of(options));
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

int pack_data(const Arguments& arguments) {
  const auto words_end = std::ranges::find_if(
      arguments, [](const std::string& word) { return word.starts_with('-'); });
  const auto call = read_tool_call(
      "pack-data", "pack-data ROOT FILE: put the images ROOT/{train,val}/CLASS/* into one FILE",
      {words_end, arguments.end()});
  if (!call) return 0;
  if (words_end - arguments.begin() != 2)
    throw core::usage_error("tools pack-data: ROOT and FILE are to stand before the options");
  const config::Options options = values_of(*call);
  const fs::path root = arguments[0], file = arguments[1];
  core::catch_interrupts();
  core::remove_unfinished(file.has_parent_path() ? file.parent_path() : ".",
                          [&](const fs::path& path) { return path.filename() == file.filename(); });
  try {
    print_packed(pack(root, file, pack_options(*call, options)), file);
  } catch (const core::Error&) {
    if (const int signal = core::interrupted()) return 128 + signal;
    throw;
  }
  return 0;
}

}  // namespace lowbit::app
