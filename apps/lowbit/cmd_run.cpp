// lowbit run MODEL.lowbit IMAGE|FOLDER|DATASET...: classifies with a packed network.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <optional>

#include "command_line.h"
#include "commands.h"
#include "console.h"
#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/data/image.h"
#include "lowbit/data/image_folder.h"
#include "lowbit/data/labels.h"
#include "lowbit/data/sample.h"
#include "lowbit/runtime/packed_network.h"
#include "output.h"
#include "pixel_source.h"

namespace lowbit::app {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kBest = 5;

struct RunCall {
  PackedCall packed;
  std::string root;
  std::vector<std::string> inputs;
};

std::optional<RunCall> read_run_call(const Arguments& arguments) {
  RunCall call;
  CLI::App app(
      "Classifies pictures. Of each: the five likeliest classes. A folder with a folder for each\n"
      "class, or the validation set of a data set (cifar10, cifar100, fashion, imagenet): the "
      "accuracy.",
      "lowbit run");
  add_packed_options(app, call.packed);
  app.add_option("input", call.inputs, "pictures, folders of pictures, names of data sets")
      ->required();
  app.add_option("--root", call.root, "where the data set lies");
  if (!parse_arguments(app, arguments)) return std::nullopt;
  return call;
}

// Of one image.
struct Answer {
  std::vector<int> best;  // the likeliest classes, at most five
  double seconds = 0;     // that the network took
};

// Answers of many images.
struct Score {
  int64_t images = 0, first = 0, among_best = 0;
  double seconds = 0;

  void add(const Answer& answer, int64_t label) {
    ++images;
    first += answer.best.front() == label;
    among_best += std::ranges::find(answer.best, label) != answer.best.end();
    seconds += answer.seconds;
  }

  void print() const {
    if (images == 0) return;
    const auto percent = [this](int64_t count) {
      return 100 * static_cast<double>(count) / static_cast<double>(images);
    };
    app::print("{} images: top-1 {:.2f} %, top-5 {:.2f} %, {:.1f} images/s\n", images,
               percent(first), percent(among_best), static_cast<double>(images) / seconds);
  }
};

class Classifier {
 public:
  explicit Classifier(const PackedCall& call)
      : model_(call.model),
        network_(call.model, call.kernels, call.threads),
        names_(network_.class_names()),
        maker_({.side = network_.description().height, .random = false}),
        logits_(static_cast<size_t>(network_.description().classes)) {}

  const lowbit_description& description() const { return network_.description(); }
  const std::vector<std::string>& names() const { return names_; }

  // image: its name in the Error (failure) of a network whose numbers are broken.
  Answer classify(const uint8_t* pixels, const std::string& image) {
    const auto start = Clock::now();
    network_.run(pixels, 1, logits_.data());
    Answer answer;
    if (!std::ranges::all_of(logits_, [](float logit) { return std::isfinite(logit); }))
      throw core::failure("'{}': the logits of '{}' are not finite", image, model_);
    answer.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    answer.best.resize(logits_.size());
    std::iota(answer.best.begin(), answer.best.end(), 0);
    const size_t count = std::min<size_t>(kBest, answer.best.size());
    std::partial_sort(answer.best.begin(), answer.best.begin() + static_cast<int64_t>(count),
                      answer.best.end(), [this](int a, int b) {
                        const float x = logits_[static_cast<size_t>(a)];
                        const float y = logits_[static_cast<size_t>(b)];
                        return x != y ? x > y : a < b;
                      });
    answer.best.resize(count);
    return answer;
  }

  // The likeliest classes of the image that was classified last.
  void print_best(const std::string& title, const std::vector<int>& best) const {
    double sum = 0;
    const float largest = logits_[static_cast<size_t>(best.front())];
    for (const float logit : logits_) sum += std::exp(static_cast<double>(logit - largest));
    print("{}:", title);
    for (const int label : best) {
      const float logit = logits_[static_cast<size_t>(label)];
      const std::string name =
          names_.empty() ? std::to_string(label) : names_[static_cast<size_t>(label)];
      print("{} {} {:.1f} %", label == best.front() ? "" : ",", name,
            100 * std::exp(static_cast<double>(logit - largest)) / sum);
    }
    print("\n");
  }

  // The picture as the network takes it. Errors name the file.
  std::vector<uint8_t> pixels_of(const fs::path& path) {
    const std::string bytes = core::read_file(path);
    try {
      return pixels_of(*data::open_picture(bytes));
    } catch (core::Error& error) {
      error.at(path.string());
      throw;
    }
  }

 private:
  std::vector<uint8_t> pixels_of(data::Picture& picture) {
    const auto side = static_cast<int64_t>(description().height);
    if (description().resize > 0) {
      std::vector<uint8_t> pixels(static_cast<size_t>(side * side * 3));
      maker_.make(picture, 0, 0, pixels);
      return pixels;
    }
    if (picture.height() != side || picture.width() != side)
      throw core::usage_error("has {} x {} pixels, the network takes {} x {}", picture.width(),
                              picture.height(), side, side);
    return data::decode_image(picture).pixels;
  }

  std::string model_;
  runtime::PackedNetwork network_;
  std::vector<std::string> names_;
  data::SampleMaker maker_;
  std::vector<float> logits_;
};

void run_picture(Classifier& classifier, const fs::path& path) {
  const std::vector<uint8_t> pixels = classifier.pixels_of(path);
  require_output();
  classifier.print_best(path.string(), classifier.classify(pixels.data(), path.string()).best);
}

// The class of each folder: the one of its name, or by its place where the network names none.
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
      throw core::usage_error("{}: the network knows no class '{}'", folder.string(), folders[i])
          .suggest(core::nearest_name(folders[i], names));
    }
  }
  return labels;
}

// A usage error for more classes than the network tells apart.
void require_few_classes(const Classifier& classifier, size_t count, const std::string& name) {
  const int known = classifier.description().classes;
  if (count > static_cast<size_t>(known))
    throw core::usage_error("{} has {} classes, the network only {}", name, count, known);
}

void run_folder(Classifier& classifier, const fs::path& folder) {
  const std::vector<std::string> classes = data::class_folders(folder);
  if (classes.empty()) {
    const std::vector<std::string> pictures = data::pictures_below(folder);
    if (pictures.empty()) throw core::usage_error("folder '{}' has no images", folder.string());
    for (const std::string& name : pictures) run_picture(classifier, folder / name);
    return;
  }
  require_few_classes(classifier, classes.size(), folder.string());
  const data::ImageFolder images(folder);
  const std::vector<int64_t> labels = labels_of(images.class_names(), classifier.names(), folder);
  Score score;
  for (int64_t i = 0; i < images.size(); ++i) {
    const std::vector<uint8_t> pixels = classifier.pixels_of(images.path(i));
    score.add(classifier.classify(pixels.data(), images.path(i).string()),
              labels[static_cast<size_t>(images.label(i))]);
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
  require_few_classes(classifier, source.class_names().size(), name);
  data::require_classes_of(classifier.names(), source.class_names(), "packed network");
  constexpr int64_t kBatch = 64;
  Score score;
  for (int64_t first = 0; first < source.size(); first += kBatch) {
    const PixelSource::Batch batch = source.fetch(first, std::min(kBatch, source.size() - first));
    for (int64_t i = 0; i < batch.pixels.size(0); ++i) {
      const torch::Tensor pixels = batch.pixels[i].contiguous();
      score.add(classifier.classify(pixels.const_data_ptr<uint8_t>(),
                                    fmt::format("image {} of {}", first + i, name)),
                batch.labels[i].item<int64_t>());
    }
  }
  print("{}: ", name);
  score.print();
}

// Neither a file nor a folder.
void run_name(Classifier& classifier, const std::string& name, const RunCall& call) {
  std::vector<std::string> names;
  for (const data::DatasetEntry& entry : data::datasets()) names.emplace_back(entry.name);
  if (std::ranges::find(names, name) != names.end()) return run_dataset(classifier, name, call);
  const std::string file = core::nearest_file(name);
  throw core::usage_error("there is no file, folder or data set '{}'", name)
      .suggest(file.empty() ? core::nearest_name(name, names) : file);
}

}  // namespace

int run(const Arguments& arguments) {
  const std::optional<RunCall> call = read_run_call(arguments);
  if (!call) return 0;
  log_to_console();
  Classifier classifier(call->packed);
  for (const std::string& input : call->inputs) {
    if (core::is_folder(input))
      run_folder(classifier, input);
    else if (core::is_file(input))
      run_picture(classifier, input);
    else
      run_name(classifier, input, *call);
  }
  return 0;
}

}  // namespace lowbit::app
