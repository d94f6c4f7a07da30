// The files of the project that come from the tables, or are read through them.
#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>

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
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

Configuration read(const std::string& name) {
  return parse_run(kSource / "config" / name, {}, environment_of({}));
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
    const Configuration configuration = read(name);
    const Options& options = configuration.options;
    EXPECT_THAT(configuration.warnings, IsEmpty()) << name;
    EXPECT_THAT(name, HasSubstr("." + options.data.dataset + ".")) << name;
    EXPECT_THAT(name, HasSubstr("." + options.model.name)) << name;
    EXPECT_EQ(options.train.pretrained.empty(), name.find(".finetune.") == std::string::npos)
        << name;
    EXPECT_THAT(name, HasSubstr("." + precision_of(options.model) + ".")) << name;
    EXPECT_EQ(name.find("config." + method_of(options.model) + "."), 0u) << name;
    EXPECT_GT(options.train.epochs, 0) << name;
  }
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
