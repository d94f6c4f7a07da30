#include "lowbit/config/model_options.h"

#include <algorithm>

#include "lowbit/config/option_table.h"

namespace lowbit::config {
namespace {

std::vector<ModelRow>& model_table() {
  using enum Family;
  constexpr bool bottleneck = true;
  static std::vector<ModelRow> table = {
      {"resnet18", resnet, {2, 2, 2, 2}},
      {"resnet20", resnet, {3, 3, 3}},
      {"resnet20_", resnet, {2, 2, 3, 2}},
      {"resnet32", resnet, {5, 5, 5}},
      {"resnet34", resnet, {3, 4, 6, 3}},
      {"resnet34_", resnet, {0, 2, 2, 2, 2, 2, 2, 2, 2}},
      {"resnet44", resnet, {7, 7, 7}},
      {"resnet50", resnet, {3, 4, 6, 3}, bottleneck},
      {"resnet56", resnet, {9, 9, 9}},
      {"resnet101", resnet, {3, 4, 23, 3}, bottleneck},
      {"pytorch-resnet18", pytorch_resnet, {2, 2, 2, 2}},
      {"pytorch-resnet34", pytorch_resnet, {3, 4, 6, 3}},
      {"pytorch-resnet50", pytorch_resnet, {3, 4, 6, 3}, bottleneck},
      {"pytorch-resnet101", pytorch_resnet, {3, 4, 23, 3}, bottleneck},
      {"mobilenetv1", mobilenetv1},
      {"mobilenetv2", mobilenetv2},
      {"vgg_small", vgg_small},
      {"nin", nin},
  };
  return table;
}

template <class Order, size_t count>
std::string word_of(const OrderWord<Order> (&words)[count], Order order) {
  for (const OrderWord<Order>& word : words)
    if (word.order == order) return word.name;
  return "";
}

// Empty: it reads none.
std::vector<std::string> orders_of(Family family) {
  std::vector<std::string> names;
  switch (family) {
    case Family::resnet:
      for (const auto& word : kBlockOrders) names.emplace_back(word.name);
      break;
    case Family::mobilenetv1:
      return {"cbas", "cbsa", "bacs"};
    case Family::mobilenetv2:
      return {"cbas", "bacs"};
    case Family::vgg_small:
      for (const auto& word : kUnitOrders) names.emplace_back(word.name);
      break;
    case Family::pytorch_resnet:
    case Family::nin:
    case Family::added:
      break;
  }
  return names;
}

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
  for (const ModelRow& row : model_table()) names.emplace_back(row.name);
  return names;
}

const ModelRow& model_row(const std::string& name) {
  for (const ModelRow& row : model_table())
    if (name == row.name) return row;
  throw core::usage_error("there is no model '{}'", name)
      .suggest(core::nearest_name(name, model_names()))
      .detail("Models: " + join(model_names(), " "));
}

void add_model(const char* name) {
  model_table().push_back({name, Family::added});
}

std::string order_name(const ModelOptions& model) {
  if (orders_of(model.family).empty()) return "";
  return model.family == Family::vgg_small ? word_of(kUnitOrders, model.unit_order)
                                           : word_of(kBlockOrders, model.order);
}

void require_order(const ModelOptions& model) {
  std::vector<std::string> names = orders_of(model.family);
  if (names.empty() || std::ranges::find(names, order_name(model)) != names.end()) return;
  const std::string last = names.back();
  names.pop_back();
  throw core::usage_error("model '{}' needs an order of its layers: add keyword {} or {}",
                          model.name, join(names, ", "), last);
}

std::vector<Option> model_option_rows() {
  auto table = option_table<ModelOptions>(
      "Model", true, [](auto& o) -> auto& { return o.model; });
  std::vector<Choice<std::string>> models;
  for (const ModelRow& row : model_table()) models.push_back({row.name, row.name});
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
