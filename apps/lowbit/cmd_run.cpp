// lowbit run MODEL.lowbit IMAGE|FOLDER|DATASET...: classifies with a packed network.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <optional>

#include "commands.h"
#include "console.h"
#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/data/image.h"
#include "lowbit/data/image_folder.h"
#include "lowbit/data/sample.h"
#include "lowbit/runtime/packed_network.h"
#include "pixel_source.h"

namespace lowbit::app {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kBest = 5;

struct RunCall {
  std::string model, kernels = "auto", root;
  std::vector<std::string> inputs;
  int threads = 0;
};

std::optional<RunCall> read_run_call(const Arguments& arguments) {
  RunCall call;
  CLI::App app(
      "Classifies pictures. Of each: the five likeliest classes. A folder with a folder for each\n"
      "class, or the validation set of a data set (cifar10, cifar100, fashion, imagenet): the "
      "accuracy.",
      "lowbit run");
  app.add_option("model", call.model, "what lowbit export has written")->required();
  app.add_option("input", call.inputs, "pictures, folders of pictures, names of data sets")
      ->required();
  app.add_option("--root", call.root, "where the data set lies");
  app.add_option("-t,--threads", call.threads, "0: as many as there are cores")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app.add_option("--kernels", call.kernels, "auto, reference, portable, avx2, avx512, neon")
      ->capture_default_str();
  try {
    app.parse(Arguments(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    throw core::usage_error("run: {}", error.what()).detail("lowbit run -h lists the options");
  }
  return call;
}

// Answers of many images, and how long the network took for them.
struct Score {
  int64_t images = 0, first = 0, among_best = 0;
  double seconds = 0;

  void print() const {
    if (images == 0) return;
    const auto percent = [this](int64_t count) {
      return 100 * static_cast<double>(count) / static_cast<double>(images);
    };
    fmt::print("{} images: top-1 {:.2f} %, top-5 {:.2f} %, {:.1f} images/s\n", images,
               percent(first), percent(among_best), static_cast<double>(images) / seconds);
  }
};

class Classifier {
 public:
  explicit Classifier(const RunCall& call)
      : network_(call.model, call.kernels, call.threads),
        names_(network_.class_names()),
        logits_(static_cast<size_t>(network_.description().classes)) {}

  const lowbit_description& description() const { return network_.description(); }
  const std::vector<std::string>& names() const { return names_; }

  // The likeliest classes, at most five.
  std::vector<int> classify(const uint8_t* pixels) {
    const auto start = Clock::now();
    network_.run(pixels, 1, logits_.data());
    seconds_ += std::chrono::duration<double>(Clock::now() - start).count();
    std::vector<int> order(logits_.size());
    std::iota(order.begin(), order.end(), 0);
    const size_t best = std::min<size_t>(kBest, order.size());
    std::partial_sort(order.begin(), order.begin() + static_cast<int64_t>(best), order.end(),
                      [this](int a, int b) {
                        const float x = logits_[static_cast<size_t>(a)];
                        const float y = logits_[static_cast<size_t>(b)];
                        return x != y ? x > y : a < b;
                      });
    order.resize(best);
    return order;
  }

  void print_best(const std::string& title, const std::vector<int>& best) const {
    double sum = 0;
    const float largest = logits_[static_cast<size_t>(best.front())];
    for (const float logit : logits_) sum += std::exp(static_cast<double>(logit - largest));
    fmt::print("{}:", title);
    for (const int label : best) {
      const float logit = logits_[static_cast<size_t>(label)];
      const std::string name =
          names_.empty() ? std::to_string(label) : names_[static_cast<size_t>(label)];
      fmt::print(" {} {:.1f} %{}", name, 100 * std::exp(static_cast<double>(logit - largest)) / sum,
                 label == best.back() ? "\n" : ",");
    }
  }

  void count(const std::vector<int>& best, int64_t label, Score& score) {
    ++score.images;
    score.first += best.front() == label;
    score.among_best += std::ranges::find(best, label) != best.end();
    score.seconds = seconds_;
  }
  void restart_clock() { seconds_ = 0; }

  // The picture as the network takes it.
  std::vector<uint8_t> pixels_of(const fs::path& path) const {
    const data::Image image = data::read_image(path);
    const auto side = static_cast<int64_t>(description().height);
    if (description().resize == 0 && (image.height != side || image.width != side))
      throw core::usage_error("{}: has {} x {} pixels, the network takes {} x {}", path.string(),
                              image.width, image.height, side, side);
    if (description().resize == 0) return image.pixels;
    const std::string bytes = core::read_file(path);
    const auto picture = data::open_picture(bytes);
    std::vector<uint8_t> pixels(static_cast<size_t>(side * side * 3));
    data::SampleMaker maker({.side = side, .random = false});
    maker.make(*picture, 0, 0, pixels);
    return pixels;
  }

 private:
  runtime::PackedNetwork network_;
  std::vector<std::string> names_;
  std::vector<float> logits_;
  double seconds_ = 0;
};

void run_picture(Classifier& classifier, const fs::path& path) {
  const std::vector<uint8_t> pixels = classifier.pixels_of(path);
  classifier.print_best(path.string(), classifier.classify(pixels.data()));
}

// The class of each folder: the one of its name, or by its place where the file names none.
std::vector<int64_t> labels_of(const std::vector<std::string>& folders,
                               const std::vector<std::string>& names, const fs::path& folder) {
  std::vector<int64_t> labels;
  for (size_t i = 0; i < folders.size(); ++i) {
    const auto found = std::ranges::find(names, folders[i]);
    if (names.empty()) {
      labels.push_back(static_cast<int64_t>(i));
    } else if (found != names.end()) {
      labels.push_back(found - names.begin());
    } else {
      throw core::usage_error("{}: the network knows no class '{}'", folder.string(), folders[i]);
    }
  }
  return labels;
}

void run_folder(Classifier& classifier, const fs::path& folder) {
  const std::vector<std::string> classes = data::class_folders(folder);
  if (classes.empty()) {
    for (const std::string& name : data::picture_names(folder))
      run_picture(classifier, folder / name);
    return;
  }
  const data::ImageFolder images(folder);
  const std::vector<int64_t> labels = labels_of(images.class_names(), classifier.names(), folder);
  classifier.restart_clock();
  Score score;
  for (int64_t i = 0; i < images.size(); ++i) {
    const std::vector<uint8_t> pixels = classifier.pixels_of(images.path(i));
    classifier.count(classifier.classify(pixels.data()),
                     labels[static_cast<size_t>(images.label(i))], score);
  }
  score.print();
}

void run_dataset(Classifier& classifier, const std::string& name, const RunCall& call) {
  config::DataOptions data;
  data.dataset = name;
  data.root = call.root;
  data.input_size = classifier.description().height;
  data.num_classes = classifier.description().classes;
  PixelSource source(data, data::Split::validation);
  if (source.size() == 0) throw core::usage_error("{}: has no images", name);
  constexpr int64_t kBatch = 64;
  classifier.restart_clock();
  Score score;
  for (int64_t first = 0; first < source.size(); first += kBatch) {
    const PixelSource::Batch batch = source.fetch(first, std::min(kBatch, source.size() - first));
    for (int64_t i = 0; i < batch.pixels.size(0); ++i) {
      const torch::Tensor pixels = batch.pixels[i].contiguous();
      classifier.count(classifier.classify(pixels.const_data_ptr<uint8_t>()),
                       batch.labels[i].item<int64_t>(), score);
    }
  }
  fmt::print("{}: ", name);
  score.print();
}

}  // namespace

int run(const Arguments& arguments) {
  const std::optional<RunCall> call = read_run_call(arguments);
  if (!call) return 0;
  log_to_console();
  Classifier classifier(*call);
  for (const std::string& input : call->inputs) {
    if (core::is_folder(input))
      run_folder(classifier, input);
    else if (core::is_file(input))
      run_picture(classifier, input);
    else
      run_dataset(classifier, input, *call);
  }
  return 0;
}

}  // namespace lowbit::app
