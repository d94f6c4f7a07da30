#include "lowbit/config/model_options.h"

#include "lowbit/config/option_table.h"

namespace lowbit::config {
namespace {

struct ModelRow {
  const char* name;
  Family family;
};
constexpr ModelRow kModels[] = {
    {"resnet18", Family::resnet},
    {"resnet20", Family::resnet},
    {"resnet20_", Family::resnet},
    {"resnet32", Family::resnet},
    {"resnet34", Family::resnet},
    {"resnet34_", Family::resnet},
    {"resnet44", Family::resnet},
    {"resnet50", Family::resnet},
    {"resnet56", Family::resnet},
    {"resnet101", Family::resnet},
    {"pytorch-resnet18", Family::pytorch_resnet},
    {"pytorch-resnet34", Family::pytorch_resnet},
    {"pytorch-resnet50", Family::pytorch_resnet},
    {"pytorch-resnet101", Family::pytorch_resnet},
    {"mobilenetv1", Family::mobilenetv1},
    {"mobilenetv2", Family::mobilenetv2},
    {"vgg_small", Family::vgg_small},
    {"nin", Family::nin},
};

template <Family... families>
std::string not_read_by(const Options& options) {
  const ModelOptions& model = options.model;
  return ((model.family == families) || ...)
             ? fmt::format(": model '{}' does not read it", model.name)
             : "";
}

}  // namespace

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const ModelRow& row : kModels) names.emplace_back(row.name);
  return names;
}

Family family_of(const std::string& model_name) {
  for (const ModelRow& row : kModels)
    if (model_name == row.name) return row.family;
  throw core::usage_error("there is no model '{}'", model_name)
      .suggest(core::nearest_name(model_name, model_names()))
      .detail("Models: " + join(model_names(), " "));
}

std::vector<Option> model_option_rows() {
  auto table = option_table<ModelOptions>(
      "Model", true, [](auto& o) -> auto& { return o.model; });
  std::vector<Choice<std::string>> models;
  for (const ModelRow& row : kModels) models.push_back({row.name, row.name});
  table.choice({"--model", "-m"}, &ModelOptions::name, models, "network");
  table.without_field({"--keyword"}, "WORD,WORD,..", ",",
                      "structure, quantization method and data set: see the keywords");
  // At least one of the 64 channels of the first stage has to remain.
  table
      .number({"--width_alpha"}, &ModelOptions::width_alpha, between(1.0 / 64, 64),
              "factor on every layer's width")
      .idle = not_read_by<Family::pytorch_resnet, Family::vgg_small, Family::nin>;
  table
      .integer(
          {"--num_classes"}, &ModelOptions::num_classes, between(1, 1000000),
          "classes; default by keyword, else by data set: for imagenet and dali as many as there "
          "are folders of them")
      .default_value = "of the data set";
  table
      .integer({"--input_size"}, &ModelOptions::input_size, between(8, 8192),
               "pixels of an image's side; default by keyword, else by data set")
      .default_value = "of the data set";
  table
      .flag({"--padding_after_quant"}, &ModelOptions::padding_after_quant,
            "pad the quantized map with zeros instead of quantizing the padded map")
      .idle = [](const Options& options) {
    const ModelOptions& model = options.model;
    return model.fm.enable || !model.policy.sections.empty() ? "" : "without '--fm_enable'";
  };
  table.integer({"--base"}, &ModelOptions::base, between(1, 64), "branches of a block (Group-Net)")
      .idle = not_read_by<Family::pytorch_resnet, Family::mobilenetv1, Family::mobilenetv2,
                          Family::vgg_small, Family::nin>;
  table
      .number({"--block_alpha"}, &ModelOptions::block_alpha, between(1.0 / 64, 64),
              "factor on the number of blocks of each stage, rounded, at least 1")
      .idle = not_read_by<Family::mobilenetv1, Family::vgg_small, Family::nin>;
  table
      .choice({"--stem_kernel"}, &ModelOptions::stem_kernel, {{"1", 1}, {"3", 3}},
              "kernel of the space-to-depth stem")
      .idle = [](const Options& options) {
    return options.model.stem == Stem::standard ? "without keyword 'TResNetStem'" : "";
  };
  table
      .text({"--order"}, &ModelOptions::shrink_order, "LETTERS",
            "ReShapeResolution: its layers, letters c (convolution), b (norm), a (activation)")
      .idle = [](const Options& options) {
    return options.model.reshape_resolution ? "" : "without keyword 'ReShapeResolution'";
  };
  table
      .text({"--policy"}, &ModelOptions::policy_file, "FILE",
            "file that sets attributes of quantizers by layer and epoch")
      .may_differ = true;
  return std::move(table).rows();
}

}  // namespace lowbit::config
