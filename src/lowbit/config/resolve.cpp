#include "lowbit/config/resolve.h"

#include <algorithm>
#include <filesystem>

#include "lowbit/config/keyword.h"
#include "lowbit/config/option_table.h"
#include "lowbit/config/quant_levels.h"
#include "lowbit/config/train_checks.h"
#include "lowbit/core/files.h"
#include "lowbit/core/printable.h"

namespace lowbit::config {
namespace {

namespace fs = std::filesystem;

// What a data set says about the network and its input.
struct DataFacts {
  const char* name;
  int classes;
  int size;  // pixels of a side
  std::array<double, 3> mean, std;
};
constexpr DataFacts kImageNetFacts = {
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

// Whether files of a run may begin with it: no path, nothing that a terminal does not show.
bool is_file_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
         core::printable(name) == name;
}

class Resolver {
 public:
  Resolver(const GivenOptions& given, Purpose purpose,
           const std::optional<std::string>& stored_policy, Options& options)
      : given_(given), purpose_(purpose), stored_policy_(stored_policy), options_(options) {}

  Resolution run() {
    options_.model.family = family_of(options_.model.name);
    read_keywords();
    resolve_data_set();
    apply_keywords();
    require_order();
    check_structure();
    for (const Tag tag : {Tag::fm, Tag::wt, Tag::ot}) {
      share_with_tag(tag);
      check_tag(tag);
    }
    read_policy();
    if (purpose_ != Purpose::network) {
      check_training();
      for (std::string& warning : check_training_options(given_, options_.train))
        result_.warnings.push_back(std::move(warning));
    }
    warn_about_idle_options();
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
    for (const Argument& word : split(given->words.front(), kKeywordSeparators)) {
      known_keyword(word);
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

    const DataFacts& model = of_keyword ? *of_keyword : of_data_set ? *of_data_set : kImageNetFacts;
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
    if (purpose_ != Purpose::network && of_data_set) check_data_set(*of_data_set);
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

  void require_order() const {
    try {
      config::require_order(options_.model);
    } catch (core::Error& error) {
      throw located(error, {"--keyword", "--model"});
    }
  }

  // Combinations that no network has.
  void check_structure() {
    const ModelOptions& model = options_.model;
    if (model.reshape_resolution && model.family == Family::resnet &&
        model.shrink_order.find('c') == std::string::npos)
      throw located(core::usage_error("keyword 'ReShapeResolution' needs '--order' with a letter c "
                                      "(convolution), b (norm), a (activation)"),
                    {"--order", "--keyword"});
    if (const size_t wrong = model.shrink_order.find_first_not_of("cba");
        wrong != std::string::npos)
      throw located(core::usage_error("option '--order': '{}' has a letter that is none of c "
                                      "(convolution), b (norm), a (activation)",
                                      model.shrink_order),
                    {"--order"});
    if (model.family == Family::mobilenetv1 && model.bireal_skip && model.block_skip)
      throw located(core::usage_error("keywords 'bireal' and 'block_skip' exclude each other"),
                    {"--keyword"});
    if (model.prone && model.pre_norm)
      throw located(core::usage_error("keywords 'prone' and 'preBN' exclude each other"),
                    {"--keyword"});
  }

  QuantOptions& mutable_tag(Tag tag) {
    return tag == Tag::fm   ? options_.model.fm
           : tag == Tag::wt ? options_.model.wt
                            : options_.model.ot;
  }

  // What is given once for all tags.
  void share_with_tag(Tag tag) {
    static constexpr const char* kOptions[] = {"--fm_stable", "--wt_stable", "--ot_stable"};
    QuantOptions& quant = mutable_tag(tag);
    const bool in_epochs = options_.model.stable == 0 && options_.train.stable_epoch > 0;
    quant.stable = in_epochs ? kStableOfEpochs : options_.model.stable;
    quant.proxquant_step = options_.model.proxquant_step;
    const std::string option = kOptions[static_cast<size_t>(tag)];
    const Given* own = find(option);
    if (own == nullptr) return;
    const int64_t iterations =
        parse_integer(option, own->words.front(), between(-1, std::numeric_limits<int>::max()));
    if (iterations >= 0) quant.stable = static_cast<int>(iterations);
  }

  void check_tag(Tag tag) {
    static constexpr const char* kNames[] = {"fm", "wt", "ot"};
    const std::string name = kNames[static_cast<size_t>(tag)];
    const std::string enable = "--" + name + "_enable";
    const QuantOptions& quant = options_.model.tag(tag);
    if (!quant.enable) return;
    const Argument& where = find(enable)->name;
    if (quant.method == Method::none)
      throw at(
          core::usage_error("'{}' without a method: add keyword dorefa, pact, lq or xnor, or lsq "
                            "beside dorefa",
                            enable),
          where);
    // It has no other number of them.
    if (quant.method == Method::xnor && !quant.bit && !quant.level) mutable_tag(tag).bit = 1;
    if (!quant.bit && !quant.level)
      throw at(core::usage_error("'{0}' without '--{1}_bit' or '--{1}_level'", enable, name),
               where);
    check_levels(tag, name, quant);
  }

  // Numbers of levels that a method does not have.
  void check_levels(Tag tag, const std::string& name, const QuantOptions& quant) {
    const std::string fault = level_fault(tag, quant);
    const std::string level = "--" + name + "_level", bit = "--" + name + "_bit";
    if (!fault.empty()) throw located(core::usage_error("{}", fault), {level.c_str(), bit.c_str()});
  }

  // --policy names a file: as it stands, or beside the config file that says so.
  void read_policy() {
    const std::string& name = options_.model.policy_file;
    if (name.empty()) return;
    const Argument& where = find("--policy")->where();
    if (where.source == "checkpoint" && stored_policy_) {
      options_.model.policy = parse_policy(*stored_policy_, name);
    } else if (const std::optional<fs::path> file = find_policy(where)) {
      options_.model.policy = parse_policy(core::read_file(*file), file->string());
    } else if (purpose_ == Purpose::dry_run) {
      warn(where.place(), fmt::format("option '--policy': there is no file '{}'", name));
    } else {
      throw at(core::usage_error("option '--policy': there is no file '{}'", name)
                   .suggest(core::nearest_file(name)),
               where);
    }
    for (const std::string& warning : options_.model.policy.warnings) warn("", warning);
  }

  static std::optional<fs::path> find_policy(const Argument& name) {
    for (const fs::path& path :
         {fs::path(name.text), fs::path(name.source).parent_path() / name.text})
      if (core::is_file(path)) return path;
    return std::nullopt;
  }

  void check_training() const {
    const TrainOptions& train = options_.train;
    if (train.nesterov && train.momentum == 0)
      throw located(core::usage_error("'--nesterov' needs a momentum above 0"),
                    {"--momentum", "--nesterov"});
    const Given* name = find("--case");
    if (!is_file_name(train.case_name))
      throw located(core::usage_error("option '--case': '{}' cannot be part of a file name",
                                      name ? name->text() : ""),
                    {"--case"});
    if (keywords_.count("label-smooth") && keywords_.count("focal-loss"))
      throw located(
          core::usage_error("keywords 'label-smooth' and 'focal-loss' exclude each other"),
          {"--keyword"});
  }

  void warn_about_idle_options() {
    for (const auto& [name, given] : given_) {
      const Option& option = *given.option;
      if (!option.idle || (purpose_ == Purpose::network && !option.describes_model)) continue;
      if (option.show ? option.show(options_) == option.default_value : changes_nothing(given))
        continue;
      const std::string reason = option.idle(options_);
      if (!reason.empty())
        warn(given.name.place(), fmt::format("option '{}' has no effect{}{}", name,
                                             reason.starts_with(':') ? "" : " ", reason));
    }
  }

  void warn_about_idle_keywords() {
    for (const auto& [name, word] : keywords_) {
      const Keyword& keyword = *find_keyword(name);
      const std::string reason = keyword.idle ? keyword.idle(options_) : "";
      if (!reason.empty())
        warn(word.place(), fmt::format("keyword '{}' has no effect: {}", name, reason));
    }
    for (QuantOptions* tag : {&options_.model.fm, &options_.model.wt, &options_.model.ot})
      tag->binary_mean = tag->binary_mean && tag->method == Method::dorefa;
  }

  const GivenOptions& given_;
  const Purpose purpose_;
  const std::optional<std::string>& stored_policy_;
  Options& options_;
  std::map<std::string, Argument> keywords_;
  Resolution result_;
};

}  // namespace

Resolution resolve(const GivenOptions& given, Purpose purpose,
                   const std::optional<std::string>& stored_policy, Options& options) {
  return Resolver(given, purpose, stored_policy, options).run();
}

}  // namespace lowbit::config
