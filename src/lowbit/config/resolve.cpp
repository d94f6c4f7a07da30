#include "lowbit/config/resolve.h"

#include <algorithm>

#include "lowbit/config/keyword.h"
#include "lowbit/config/option_table.h"

namespace lowbit::config {
namespace {

// What a data set says about the network and its input.
struct DataFacts {
  const char* name;
  int classes;
  int size;  // pixels of a side
  std::array<double, 3> mean, std;
};
constexpr DataFacts kImageNet = {
    "imagenet", 1000, 224, {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}};
// Data sets whose images all have one size.
constexpr DataFacts kFacts[] = {
    {"cifar10", 10, 32, {0.4914, 0.4822, 0.4465}, {0.2023, 0.1994, 0.2010}},
    {"cifar100", 100, 32, {0.4914, 0.4822, 0.4465}, {0.2023, 0.1994, 0.2010}},
    {"fashion", 10, 32, {0.2860, 0.2860, 0.2860}, {0.3530, 0.3530, 0.3530}},
};

const DataFacts* facts_of(const std::string& name) {
  for (const DataFacts& facts : kFacts)
    if (facts.name == name) return &facts;
  return nullptr;
}

class Resolver {
 public:
  Resolver(const GivenOptions& given, bool model_only, Options& options)
      : given_(given), model_only_(model_only), options_(options) {}

  Resolution run() {
    read_keywords();
    resolve_data_set();
    apply_keywords();
    require_block_order();
    for (const Tag tag : {Tag::fm, Tag::wt, Tag::ot}) check_tag(tag);
    if (!model_only_) check_training();
    warn_about_idle_keywords();
    return std::move(result_);
  }

 private:
  const Given* find(const std::string& option) const {
    const auto found = given_.find(option);
    return found == given_.end() ? nullptr : &found->second;
  }

  // Where the user wrote the first of the options that are given.
  core::Error located(core::Error error, std::initializer_list<const char*> options) const {
    for (const char* option : options)
      if (const Given* given = find(option); given && given->where().source != "default")
        return at(std::move(error), given->where());
    return error;
  }

  void warn(std::string place, std::string text) {
    result_.warnings.push_back(place.empty() ? std::move(text) : std::move(place) + ": " + text);
  }

  void read_keywords() {
    const Given* given = find("--keyword");
    if (given == nullptr) return;
    for (const Argument& word : split(given->words.front(), ", \t\r\n")) {
      const Keyword* keyword = find_keyword(word.text);
      if (keyword == nullptr)
        throw at(core::usage_error("unknown keyword '{}'", word.text)
                     .suggest(core::nearest_name(word.text, keyword_names())),
                 word);
      if (!keyword->built)
        throw at(core::usage_error("keyword '{}' is not built yet", word.text), word);
      if (keywords_.emplace(word.text, word).second) result_.keywords.push_back(word.text);
    }
    for (const auto& [name, word] : keywords_) require_partner(*find_keyword(name), word);
  }

  void require_partner(const Keyword& keyword, const Argument& word) const {
    if (keyword.needs.empty()) return;
    for (const std::string& partner : keyword.needs)
      if (keywords_.count(partner)) return;
    throw at(core::usage_error("keyword '{}' needs '{}', too: add '{}'", keyword.name,
                               join(keyword.needs, "' or '"), keyword.needs.front()),
             word);
  }

  // The keyword counts, then the name of the data set.
  void resolve_data_set() {
    const std::string& dataset = options_.data.dataset;
    const DataFacts* of_keyword = nullptr;
    for (const DataFacts& facts : kFacts)
      if (of_keyword == nullptr && keywords_.count(facts.name)) of_keyword = &facts;
    const DataFacts* of_data_set = facts_of(dataset);
    if (dataset == "fashion" && !names_a_stem()) imply_keyword("fashion");

    const DataFacts& model = of_keyword ? *of_keyword : of_data_set ? *of_data_set : kImageNet;
    const std::string source =
        of_keyword ? fmt::format("keyword {}", model.name) : fmt::format("data set {}", dataset);
    fill("--num_classes", options_.model.num_classes, model.classes, source);
    fill("--input_size", options_.model.input_size, model.size, source);
    const DataFacts& images = of_data_set ? *of_data_set : model;
    const std::string image_source = of_data_set ? fmt::format("data set {}", dataset) : source;
    fill("--mean", options_.data.mean, images.mean, image_source);
    fill("--std", options_.data.std, images.std, image_source);

    options_.data.num_classes = options_.model.num_classes;
    options_.data.input_size = options_.model.input_size;
    options_.model.batch_size = options_.data.train_batch;
    if (!model_only_ && of_data_set) check_data_set(*of_data_set);
  }

  template <class T>
  void fill(const std::string& option, T& field, const T& value, const std::string& source) {
    if (find(option)) return;
    field = value;
    result_.sources[option] = source;
  }

  bool names_a_stem() const {
    return keywords_.count("imagenet") ||
           std::any_of(std::begin(kFacts), std::end(kFacts),
                       [this](const DataFacts& each) { return keywords_.count(each.name); });
  }

  void imply_keyword(const std::string& name) {
    keywords_.emplace(name, argument(name, "data set " + name));
    result_.keywords.push_back(name);
  }

  void check_data_set(const DataFacts& facts) {
    if (options_.model.num_classes < facts.classes)
      throw located(core::usage_error("{} classes are too few: data set '{}' has {}",
                                      options_.model.num_classes, facts.name, facts.classes),
                    {"--num_classes", "--keyword", "--dataset"});
    if (options_.model.input_size != facts.size)
      throw located(
          core::usage_error("input size {} is impossible: data set '{}' has images of {}x{}",
                            options_.model.input_size, facts.name, facts.size, facts.size),
          {"--input_size", "--keyword", "--dataset"});
    if (options_.model.num_classes > facts.classes)
      warn("", fmt::format("the network has {} classes, data set '{}' only {}",
                           options_.model.num_classes, facts.name, facts.classes));
    if (!names_a_stem())
      warn("",
           fmt::format("data set '{0}' without keyword '{0}': the stem is the one for large images "
                       "(7x7, pooling)",
                       facts.name));
  }

  void apply_keywords() {
    for (const KeywordGroup& group : keyword_groups()) {
      const Keyword* first = nullptr;
      for (const Keyword& keyword : group.keywords) {
        const auto word = keywords_.find(keyword.name);
        if (word == keywords_.end()) continue;
        if (group.one_of && first) {
          warn(word->second.place(),
               fmt::format("keyword '{}' has no effect: '{}' counts", keyword.name, first->name));
          continue;
        }
        first = &keyword;
        if (keyword.set) keyword.set(options_);
      }
    }
  }

  void require_block_order() const {
    if (options_.model.order != BlockOrder::none) return;
    std::vector<std::string> built, unbuilt;
    for (const Keyword& keyword : block_orders().keywords)
      (keyword.built ? built : unbuilt).push_back(keyword.name);
    throw located(core::usage_error("model '{}' needs a block order: add keyword {}",
                                    options_.model.name, join(built, " or "))
                      .detail("Not built yet: " + join(unbuilt, " ")),
                  {"--keyword", "--model"});
  }

  void check_tag(Tag tag) {
    static constexpr const char* kNames[] = {"fm", "wt", "ot"};
    const std::string name = kNames[static_cast<size_t>(tag)];
    const std::string enable = "--" + name + "_enable";
    const QuantOptions& quant = options_.model.tag(tag);
    if (!quant.enable) return warn_about_disabled(name, enable);
    const Argument& where = find(enable)->name;
    if (quant.method == Method::none)
      throw at(
          core::usage_error("'{}' without a method: add keyword 'dorefa', or 'lsq,dorefa'", enable),
          where);
    if (!quant.bit && !quant.level)
      throw at(core::usage_error("'{0}' without '--{1}_bit' or '--{1}_level'", enable, name),
               where);
    if (tag == Tag::wt && quant.half_range && quant.method == Method::lsq)
      warn(find("--wt_half_range")->name.place(),
           "option '--wt_half_range' has no effect: lsq quantizes weights in full range");
    if (tag != Tag::wt && quant.adaptive != Adaptive::none)
      warn(find("--" + name + "_adaptive")->name.place(),
           fmt::format("option '--{}_adaptive' has no effect: only weights are normalized", name));
  }

  void warn_about_disabled(const std::string& tag, const std::string& enable) {
    for (const char* what : {"_bit", "_level"})
      if (const Given* given = find("--" + tag + what)) {
        warn(given->name.place(),
             fmt::format("option '{}' has no effect without '{}'", given->option->name(), enable));
        return;
      }
  }

  void check_training() const {
    const TrainOptions& train = options_.train;
    if (train.nesterov && train.momentum == 0)
      throw located(core::usage_error("'--nesterov' needs a momentum above 0"),
                    {"--momentum", "--nesterov"});
    const Given* name = find("--case");
    if (train.case_name.empty() || train.case_name.find('/') != std::string::npos)
      throw located(core::usage_error("option '--case': '{}' cannot be part of a file name",
                                      name ? name->text() : ""),
                    {"--case"});
    if (!find("--dataset")) require_built_default(*find_option("--dataset"), options_.data.dataset);
  }

  void warn_about_idle_keywords() {
    for (const auto& [name, word] : keywords_) {
      const Keyword& keyword = *find_keyword(name);
      const std::string reason = keyword.idle ? keyword.idle(options_) : "";
      if (!reason.empty())
        warn(word.place(), fmt::format("keyword '{}' has no effect: {}", name, reason));
    }
    for (QuantOptions* tag : {&options_.model.fm, &options_.model.wt, &options_.model.ot}) {
      tag->gamma = tag->gamma && tag->method == Method::dorefa;
      tag->binary_mean = tag->binary_mean && tag->method == Method::dorefa;
    }
  }

  const GivenOptions& given_;
  const bool model_only_;
  Options& options_;
  std::map<std::string, Argument> keywords_;
  Resolution result_;
};

}  // namespace

Resolution resolve(const GivenOptions& given, bool model_only, Options& options) {
  return Resolver(given, model_only, options).run();
}

}  // namespace lowbit::config
