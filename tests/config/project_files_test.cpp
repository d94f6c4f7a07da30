// The files of the project that come from the tables, or are read through them.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "helpers.h"
#include "lowbit/config/keyword.h"
#include "lowbit/config/option.h"
#include "lowbit/core/files.h"

namespace lowbit::config {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

const fs::path kSource = LOWBIT_SOURCE_DIR;

TEST(OptionsDocument, IsWhatTheTablesSay) {
  const fs::path path = kSource / "docs/options.md";
  if (std::getenv("LOWBIT_WRITE_DOCS")) core::replace_file(path, options_markdown());
  EXPECT_EQ(core::read_file(path), options_markdown())
      << "LOWBIT_WRITE_DOCS=1 test_config writes it anew";
}

TEST(Help, NamesEveryOptionAndKeywordWithin100Columns) {
  const std::string help = help_text();
  for (const Option& option : all_options()) EXPECT_THAT(help, HasSubstr(option.name()));
  for (const std::string& keyword : keyword_names()) EXPECT_THAT(help, HasSubstr(keyword));
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
}

std::vector<std::string> config_files() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kSource / "config"))
    if (entry.path().extension() != ".md") names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

Configuration read(const std::string& name) {
  return parse_run(kSource / "config" / name, std::vector<std::string>{"--dry-run"},
                   environment_of({}));
}

// The parts of config.<method>.<phase>.<dataset>.<precision>.<network>.
struct FileName {
  std::string method, phase, dataset, precision, network;
};

FileName parts_of(const std::string& name) {
  std::vector<std::string> parts;
  std::istringstream stream(name);
  for (std::string part; std::getline(stream, part, '.');) parts.push_back(part);
  EXPECT_EQ(parts.size(), 6u) << name;
  EXPECT_EQ(parts.at(0), "config") << name;
  return {parts.at(1), parts.at(2), parts.at(3), parts.at(4), parts.at(5)};
}

TEST(ConfigFolder, HoldsTheRunsThatTheReadmeNames) {
  EXPECT_THAT(config_files(),
              testing::IsSupersetOf({"config.baseline.train-scratch.cifar100.fp.resnet20",
                                     "config.dorefa.finetune.cifar100.2bit.resnet20",
                                     "config.lsq.finetune.cifar100.2bit.resnet20",
                                     "config.lsq.finetune.cifar100.3bit.resnet20",
                                     "config.lsq.finetune.cifar100.4bit.resnet20",
                                     "config.lsq.train-scratch.fashion.2bit.resnet20"}));
}

// As the names of config files say it.
std::string precision_of(const ModelOptions& model) {
  if (!model.wt.enable && !model.fm.enable) return "fp";
  EXPECT_EQ(model.wt.levels(), model.fm.levels());
  switch (model.wt.levels()) {
    case 2:
      return "bin";
    case 3:
      return "ter";
    default:
      return std::to_string(*model.wt.bit) + "bit";
  }
}

std::string method_of(const ModelOptions& model) {
  if (model.reshape_resolution) return "ldq";
  if (!model.fm.enable) return "baseline";
  switch (model.fm.method) {
    case Method::dorefa:
      return "dorefa";
    case Method::pact:
      return "pact";
    case Method::lsq:
      return "lsq";
    case Method::non_uniform:
      return "non-uniform";
    case Method::lq:
      return "lq-net";
    case Method::xnor:
      if (model.group_net) return "group-net";
      if (!model.origin) return "bireal";
      return model.wt.gamma ? "xnorpp" : "xnor";
    case Method::none:
      break;
  }
  return "";
}

TEST(ConfigFolder, HoldsFilesThatDoWhatTheirNamesSay) {
  for (const std::string& name : config_files()) {
    const FileName parts = parts_of(name);
    const Configuration configuration = read(name);
    const Options& options = configuration.options;
    EXPECT_THAT(configuration.warnings, IsEmpty()) << name;
    EXPECT_EQ(parts.dataset, options.data.dataset) << name;
    EXPECT_EQ(parts.network, options.model.name) << name;
    EXPECT_EQ(parts.precision, precision_of(options.model)) << name;
    EXPECT_EQ(parts.method, method_of(options.model)) << name;
    EXPECT_EQ(parts.phase == "train-scratch", options.train.pretrained.empty()) << name;
    EXPECT_EQ(parts.phase == "eval", options.train.evaluate) << name;
    EXPECT_EQ(parts.phase == "eval", options.train.epochs == 0) << name;
    EXPECT_TRUE(parts.phase == "eval" || parts.phase == "finetune" ||
                parts.phase == "train-scratch")
        << name;
  }
}

TEST(ConfigFolder, HasEveryMethodInEveryPhaseOnEveryDataSet) {
  const std::vector<std::string> files = config_files();
  const auto has = [&](const std::string& method, const std::string& phase,
                       const std::string& dataset, const std::string& precision) {
    const std::string network = dataset == "imagenet" ? "resnet18" : "resnet20";
    const std::string name =
        fmt::format("config.{}.{}.{}.{}.{}", method, phase, dataset, precision, network);
    EXPECT_THAT(files, testing::Contains(name));
  };
  for (const char* dataset : {"cifar10", "cifar100", "imagenet"}) {
    for (const char* phase : {"eval", "train-scratch"}) has("baseline", phase, dataset, "fp");
    for (const char* phase : {"eval", "train-scratch", "finetune"}) {
      for (const char* method : {"dorefa", "pact", "lsq", "lq-net", "non-uniform"})
        has(method, phase, dataset, "2bit");
      for (const char* method : {"xnor", "xnorpp", "bireal", "group-net"})
        has(method, phase, dataset, "bin");
      has("non-uniform", phase, dataset, "ter");
      has("ldq", phase, dataset, phase == std::string("train-scratch") ? "fp" : "2bit");
    }
  }
}

// What another config leaves: the best epoch, which exists only if it trains.
TEST(ConfigFolder, StartsFromWeightsThatAnotherOfItsFilesTrainsOrThatArePublic) {
  const std::string best = "-model_best.pth.tar";
  const std::set<std::string> published = {"cifar100_resnet20.pth.tar", "resnet18-f37072fd.pth"};
  std::map<std::string, ModelOptions> trained;
  for (const std::string& name : config_files()) {
    const Options options = read(name).options;
    if (options.train.epochs > 0) trained[options.train.case_name + best] = options.model;
  }
  for (const std::string& name : config_files()) {
    const Options options = read(name).options;
    const std::string& weights = options.train.pretrained;
    if (weights.empty() || published.contains(weights)) continue;
    ASSERT_TRUE(trained.contains(weights)) << name << ": " << weights;
    EXPECT_EQ(trained[weights].name, options.model.name) << name;
    EXPECT_EQ(trained[weights].width_alpha, options.model.width_alpha) << name;
    if (!options.train.evaluate) continue;
    ModelOptions evaluated = options.model;
    evaluated.batch_size = trained[weights].batch_size;
    EXPECT_EQ(evaluated, trained[weights]) << name << " evaluates another network than was trained";
  }
}

TEST(ConfigFolder, SaysWhatToExpectAtTheHeadOfEachFile) {
  for (const std::string& name : config_files()) {
    const std::string text = core::read_file(kSource / "config" / name);
    EXPECT_THAT(text, testing::StartsWith("# ")) << name;
    const std::string head = text.substr(0, text.find("\n\n"));
    EXPECT_THAT(head, testing::AnyOf(HasSubstr("Expect"), HasSubstr("Not measured here"))) << name;
  }
}

TEST(ConfigFolder, IsIndexedByItsReadme) {
  const std::string readme = core::read_file(kSource / "config/README.md");
  std::vector<std::string> named;
  const std::regex link("\\]\\((config\\.[^)]*)\\)");
  for (std::sregex_iterator it(readme.begin(), readme.end(), link), end; it != end; ++it)
    named.push_back((*it)[1]);
  std::sort(named.begin(), named.end());
  EXPECT_EQ(named, config_files());
}

TEST(ConfigFolder, NamesTheCasesOfItsFilesDifferently) {
  std::vector<std::string> cases;
  for (const std::string& name : config_files())
    cases.push_back(read(name).options.train.case_name);
  std::sort(cases.begin(), cases.end());
  EXPECT_EQ(std::adjacent_find(cases.begin(), cases.end()), cases.end());
}

TEST(ConfigFolder, GivesTheNetworkOfThePublicWeights) {
  const Options options = read("config.lsq.finetune.cifar100.2bit.resnet20").options;
  EXPECT_EQ(options.model.order, BlockOrder::cbsa);
  EXPECT_TRUE(options.model.cifar_stem && options.model.origin && options.model.fix &&
              options.model.singleconv);
  EXPECT_EQ(options.model.width_alpha, 0.25);
  EXPECT_EQ(options.model.num_classes, 100);
  EXPECT_EQ(options.data.mean, (std::array<double, 3>{0.5070, 0.4865, 0.4409}));
  EXPECT_EQ(options.data.std, (std::array<double, 3>{0.2673, 0.2564, 0.2761}));
}

}  // namespace
}  // namespace lowbit::config
