// The graphs of the families: state, start values, layers of policies, numbers.
#include "lowbit/models/families/network_graph.h"

#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>

#include "lowbit/config/parse.h"
#include "lowbit/core/error.h"
#include "lowbit/graph/text.h"
#include "lowbit/models/factory.h"
#include "lowbit/parity/name_fill.h"
#include "small_options.h"
#include "support/recorded_networks.h"

namespace lowbit::models {
namespace {

using config::Activation;
using config::BlockOrder;
using config::ConvForm;
using config::Family;
using config::ModelOptions;
using config::Norm;
using graph::Graph;
using testing::HasSubstr;

// Numbers recorded when each family was written as classes of layers instead of a graph: a line for
// each of the tests below, "TEST/CASE: " and its numbers.
std::map<std::string, std::vector<double>> recorded_numbers() {
  std::ifstream file(std::filesystem::path(LOWBIT_SOURCE_DIR) / "tests" / "models" /
                     "recorded_numbers.txt");
  std::map<std::string, std::vector<double>> result;
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.rfind(": ");
    std::istringstream numbers(line.substr(colon + 2));
    result[line.substr(0, colon)] = {std::istream_iterator<double>(numbers), {}};
  }
  return result;
}

// Name, shape and role of each entry of checkpoints, and the layers that policies count.
std::string structure(const Network& network) {
  const auto parameters = network.named_parameters();
  std::string text;
  for (const NamedTensor& each : network.state()) {
    const char* role = "statistics";
    if (parameters.contains(each.name))
      role = each.tensor.requires_grad() ? "trained" : "frozen";
    else if (each.tensor.scalar_type() == torch::kInt64)
      role = "counter";
    text += fmt::format("{} [{}] {}\n", each.name, fmt::join(each.tensor.sizes(), ", "), role);
  }
  for (const QuantLayer& layer : network.quant_layers())
    text += layer.name() + (layer.quant_options(config::Tag::fm) ? "\n" : " full\n");
  return text;
}

double hash_of(const std::string& text) {
  return parity::uniform_from_key(text, 1)[0];
}

// The product with numbers of that key: a change of any element or of their order changes it.
double projection(const std::string& key, const torch::Tensor& tensor) {
  std::vector<double> weights = parity::uniform_from_key(key, tensor.numel());
  const torch::Tensor other = torch::from_blob(weights.data(), {tensor.numel()}, torch::kFloat64);
  return tensor.detach().to(torch::kFloat64).flatten().dot(other).item<double>();
}

double state_projection(const Network& network) {
  double sum = 0;
  for (const NamedTensor& each : network.state()) sum += projection(each.name, each.tensor);
  return sum;
}

double gradient_projection(const Network& network) {
  double sum = 0;
  for (const auto& item : network.named_parameters())
    if (item.value().grad().defined()) sum += projection(item.key(), item.value().grad());
  return sum;
}

enum class Check { state, all };

// Structure; start values; without quantizers, in float64, filled from the names: logits in
// training, gradients, state after it, logits in evaluation. Quantizers would turn the last bit,
// which differs by processor, into another level wherever a value is between two.
std::vector<double> numbers_of(const ModelOptions& options, Check check) {
  torch::manual_seed(11);
  const std::shared_ptr<Network> quantized = make_network(options);
  std::vector<double> numbers = {hash_of(structure(*quantized)), state_projection(*quantized)};
  if (check == Check::state) return numbers;
  const std::shared_ptr<Network> network = make_network(full_precision(options));
  network->to(torch::kFloat64);
  for (const NamedTensor& each : network->state()) parity::fill_from_name(each.name, each.tensor);
  std::vector<double> pixels =
      parity::uniform_from_key("images", int64_t{2} * 3 * options.input_size * options.input_size);
  const torch::Tensor images =
      4 * torch::from_blob(pixels.data(), {2, 3, options.input_size, options.input_size},
                           torch::kFloat64) -
      2;
  const torch::Tensor logits = network->forward(images);
  numbers.push_back(projection("logits", logits));
  logits.square().sum().backward();
  numbers.push_back(gradient_projection(*network));
  numbers.push_back(state_projection(*network));
  network->eval();
  const torch::NoGradGuard no_grad;
  numbers.push_back(
      projection("logits", network->forward(images, exec::Arithmetic::whole_numbers)));
  return numbers;
}

void expect_recorded(const ModelOptions& options, const std::string& what,
                     Check check = Check::all) {
  const auto* const test = testing::UnitTest::GetInstance()->current_test_info();
  const std::string name = fmt::format("{}.{}/{}", test->test_suite_name(), test->name(), what);
  static const std::map<std::string, std::vector<double>> all = recorded_numbers();
  const auto recorded = all.find(name);
  ASSERT_NE(recorded, all.end()) << name;
  std::vector<double> numbers;
  try {
    numbers = numbers_of(options, check);
  } catch (const core::Error& error) {
    ADD_FAILURE() << name << ": " << error.what();
    return;
  }
  ASSERT_EQ(numbers.size(), recorded->second.size()) << name;
  // Draws of start values differ by processor in the last bits, as sums do by processor and number
  // of threads; deep networks of such weights amplify that. Another structure gives other digits.
  constexpr double kDrawn = 1e-4, kComputed = 1e-3, kGradients = 1e-2;
  constexpr double tolerance[] = {0, kDrawn, kComputed, kGradients, kComputed, kComputed};
  const char* const parts[] = {"structure", "start values",    "logits in training",
                               "gradients", "state behind it", "logits in evaluation"};
  EXPECT_EQ(numbers[0], recorded->second[0]) << name << ": structure";
  for (size_t i = 1; i < numbers.size(); ++i)
    EXPECT_NEAR(numbers[i], recorded->second[i],
                tolerance[i] * std::max(1.0, std::abs(recorded->second[i])))
        << name << ": " << parts[i];
}

// A change of options with its name.
struct Variant {
  std::string name;
  std::function<void(ModelOptions&)> apply;
};

void quantize(ModelOptions& options, bool output = false) {
  for (config::QuantOptions* tag : {&options.fm, &options.wt, &options.ot}) {
    tag->enable = output || tag != &options.ot;
    tag->method = config::Method::lsq;
    tag->bit = 2;
  }
}

template <auto field, auto value = true>
Variant with(const char* name) {
  return {name, [](ModelOptions& options) { options.*field = value; }};
}

Variant both(const Variant& a, const Variant& b) {
  return {a.name + "," + b.name, [a, b](ModelOptions& options) {
            a.apply(options);
            b.apply(options);
          }};
}

using M = ModelOptions;

std::vector<Variant> norms_and_activations() {
  const auto groups = [](ModelOptions& options) {
    options.norm = Norm::group;
    options.fm.quant_group = 2;
  };
  return {with<&M::norm, Norm::static_batch>("static-bn"),
          with<&M::norm, Norm::frozen_batch>("freeze-bn"),
          with<&M::norm, Norm::reverse_batch>("reverse-bn"),
          with<&M::norm, Norm::instance>("instance-norm"),
          {"group-norm", groups},
          with<&M::activation, Activation::prelu>("PReLU"),
          with<&M::activation, Activation::none>("NReLU"),
          with<&M::activation, Activation::relu6>("ReLU6"),
          with<&M::activation, Activation::leaky_relu>("LReLU")};
}

std::vector<Variant> block_variants() {
  const Variant none = {"", [](ModelOptions&) {}};
  const Variant fix = with<&M::fix>("fix"),
                prelu = with<&M::activation, Activation::prelu>("PReLU");
  std::vector<Variant> variants = {none, fix};
  for (const Variant& each :
       {with<&M::singleconv>("singleconv"), with<&M::real_skip>("real_skip"),
        with<&M::zero_init_residual>("zir"), with<&M::identity_norm>("identity_norm"),
        with<&M::dchr>("DCHR"), with<&M::group_net>("group-net"),
        with<&M::fix_pooling>("fix_pooling"), with<&M::pre_norm>("preBN"),
        both(with<&M::pre_norm>("preBN"), with<&M::patch_pre_norm_stem>("patch_preBN_stem")),
        with<&M::base, 3>("base 3")})
    variants.push_back(both(both(fix, prelu), each));
  for (const Variant& each : norms_and_activations()) variants.push_back(each);
  return variants;
}

std::vector<Variant> reshape_variants() {
  const Variant order = {"order cba", [](ModelOptions& o) { o.shrink_order = "cba"; }};
  const Variant reshape = both(with<&M::reshape_resolution>("ReShapeResolution"), order);
  const Variant prone = with<&M::prone>("prone");
  const Variant prelu = both(with<&M::activation, Activation::prelu>("PReLU"),
                             both(with<&M::fix>("fix"), with<&M::zero_init_residual>("zir")));
  std::vector<Variant> variants = {reshape, prone};
  for (const Variant& form :
       {with<&M::shrink_full>("ldn3x3"), with<&M::first_conv, ConvForm::absent>("f0x0"),
        with<&M::first_conv, ConvForm::point>("f1x1"), with<&M::first_conv, ConvForm::full>("f3x3"),
        with<&M::second_conv, ConvForm::point>("s1x1"),
        with<&M::second_conv, ConvForm::full>("s3x3"), prone}) {
    variants.push_back(both(reshape, both(form, prelu)));
    variants.push_back(both(reshape, both(form, with<&M::norm, Norm::frozen_batch>("freeze-bn"))));
  }
  for (const Variant& form : {with<&M::norm_before_restore>("bn_before_restore"),
                              with<&M::prone_downsample, false>("no_prone_downsample"),
                              with<&M::second_conv, ConvForm::point>("s1x1")})
    variants.push_back(both(prone, both(form, prelu)));
  return variants;
}

ModelOptions resnet_options(const char* name, BlockOrder order) {
  ModelOptions options = small_options(name, Family::resnet, 5, 16);
  options.order = order;
  options.cifar_stem = true;
  options.width_alpha = 0.0625;
  return options;
}

constexpr std::array kOrders = {BlockOrder::cbas, BlockOrder::cbsa, BlockOrder::cabs,
                                BlockOrder::bacs, BlockOrder::bcas};

TEST(ResNetGraph, IsAsRecordedInEveryOrderWithEveryKeyword) {
  std::vector<Variant> variants = block_variants();
  for (const Variant& each : reshape_variants()) variants.push_back(each);
  for (const BlockOrder order : kOrders)
    for (const Variant& variant : variants)
      for (const bool origin : {true, false}) {
        ModelOptions options = resnet_options("resnet20", order);
        options.block_alpha = 0.4;  // one block a stage
        options.origin = origin;
        variant.apply(options);
        quantize(options, /*output=*/origin);
        expect_recorded(options, fmt::format("order {} origin {} {}", static_cast<int>(order),
                                             origin, variant.name));
      }
}

// Of dorefa's activations and of none the branches are computed as one.
TEST(ResNetGraph, IsAsRecordedWithSeveralBranches) {
  for (const BlockOrder order : kOrders)
    for (const Variant& method : {Variant{"none", [](ModelOptions&) {}},
                                  Variant{"lsq", [](ModelOptions& o) { quantize(o); }},
                                  Variant{"dorefa", [](ModelOptions& o) {
                                            quantize(o);
                                            o.fm.method = o.wt.method = config::Method::dorefa;
                                          }}})
      for (const bool origin : {true, false})
        for (const Variant& variant : {with<&M::base, 3>("base 3"),
                                       both(with<&M::base, 2>("base 2"),
                                            with<&M::norm, Norm::reverse_batch>("reverse-bn"))}) {
          ModelOptions options = resnet_options("resnet20", order);
          options.block_alpha = 0.4;
          options.origin = origin;
          options.padding_after_quant = !origin;
          variant.apply(options);
          method.apply(options);
          expect_recorded(options, fmt::format("order {} origin {} {} {}", static_cast<int>(order),
                                               origin, method.name, variant.name));
        }
}

TEST(ResNetGraph, IsAsRecordedWithFixup) {
  std::vector<Variant> variants = {{"", [](ModelOptions&) {}}};
  for (const std::vector<Variant>& more : {block_variants(), reshape_variants()})
    variants.insert(variants.end(), more.begin(), more.end());
  for (const BlockOrder order : {BlockOrder::cbas, BlockOrder::cbsa})
    for (const Variant& variant : variants)
      for (const bool bias : {true, false}) {
        ModelOptions options = resnet_options("resnet20", order);
        options.block_alpha = 0.4;
        options.fixup = true;
        options.fixup_bias = bias;
        variant.apply(options);
        if (options.base > 1 || options.first_conv == ConvForm::absent) continue;
        expect_recorded(options, fmt::format("order {} bias {} {}", static_cast<int>(order), bias,
                                             variant.name));
      }
}

TEST(ResNetGraph, IsAsRecordedWithEveryStemAndDepth) {
  for (const char* name : {"resnet18", "resnet20_", "resnet34_", "resnet50"}) {
    for (const Variant& stem :
         {Variant{"7x7", [](ModelOptions&) {}}, with<&M::cifar_stem>("3x3"),
          with<&M::stem, config::Stem::space_to_depth>("TResNetStem"),
          with<&M::stem, config::Stem::space_to_depth_pool>("TResNetStemMaxPool")}) {
      ModelOptions options = resnet_options(name, BlockOrder::cbsa);
      options.cifar_stem = false;
      options.origin = options.singleconv = true;
      options.stem_kernel = 3;
      options.width_alpha = 0.03125;
      options.input_size = 64;
      stem.apply(options);
      quantize(options);
      expect_recorded(options, fmt::format("{} {}", name, stem.name));
    }
  }
}

TEST(EveryGraph, IsAsRecorded) {
  for (const std::string& name : config::model_names()) {
    ModelOptions options = small_options("", config::family_of(name), 5, 32);
    options.name = name;
    options.order = BlockOrder::cbas;
    options.unit_order = config::UnitOrder::cba;
    options.origin = options.singleconv = options.family == Family::resnet;
    options.width_alpha = options.family == Family::resnet ? 0.03125 : 1;
    quantize(options);
    expect_recorded(options, name, Check::state);
  }
}

TEST(PytorchResNetGraph, IsAsRecordedWithEveryKeyword) {
  std::vector<Variant> variants = norms_and_activations();
  for (const Variant& each : {with<&M::first_last>("first-last"), with<&M::real_skip>("real_skip"),
                              with<&M::caffe_pooling>("caffe-pooling")})
    variants.push_back(both(each, with<&M::activation, Activation::prelu>("PReLU")));
  for (const char* name : {"pytorch-resnet18", "pytorch-resnet50"})
    for (const Variant& variant : variants) {
      ModelOptions options = small_options(name, Family::pytorch_resnet, 5, 32);
      options.block_alpha = 0.4;
      variant.apply(options);
      quantize(options);
      expect_recorded(options, fmt::format("{} {}", name, variant.name),
                      options.name == "pytorch-resnet18" ? Check::all : Check::state);
    }
}

TEST(MobileNetV1Graph, IsAsRecordedInEveryOrderWithEveryKeyword) {
  const Variant bireal = with<&M::bireal_skip>("bireal"), react = with<&M::react>("react"),
                skip = with<&M::block_skip>("block_skip");
  std::vector<Variant> variants = norms_and_activations();
  for (const Variant& each :
       {bireal, both(bireal, react), skip, both(skip, both(bireal, react)),
        both(skip, with<&M::singleconv>("singleconv")), both(skip, with<&M::dchr>("DCHR")),
        both(skip, with<&M::identity_norm>("identity_norm")), both(skip, with<&M::fix>("fix")),
        both(skip, with<&M::real_skip>("real_skip")), both(skip, with<&M::origin>("origin")),
        with<&M::real_depthwise>("real_dp"), with<&M::real_pointwise>("real_pt"),
        with<&M::normal3x3>("normal3x3"), with<&M::first_last>("first-last"),
        with<&M::pre_norm>("preBN")})
    variants.push_back(each);
  for (const BlockOrder order : {BlockOrder::cbas, BlockOrder::cbsa, BlockOrder::bacs})
    for (const Variant& variant : variants) {
      ModelOptions options = small_mobilenet("mobilenetv1", Family::mobilenetv1, order);
      options.width_alpha = 0.0625;
      variant.apply(options);
      quantize(options, /*output=*/true);
      expect_recorded(options, fmt::format("order {} {}", static_cast<int>(order), variant.name));
    }
}

TEST(MobileNetV2Graph, IsAsRecordedInEveryOrderWithEveryKeyword) {
  std::vector<Variant> variants = norms_and_activations();
  for (const Variant& each : {with<&M::first_last>("first-last"), with<&M::pre_norm>("preBN"),
                              with<&M::cifar_stem, false>("imagenet")})
    variants.push_back(each);
  for (const BlockOrder order : {BlockOrder::cbas, BlockOrder::bacs})
    for (const Variant& variant : variants) {
      ModelOptions options = small_mobilenet("mobilenetv2", Family::mobilenetv2, order);
      options.width_alpha = 0.25;
      variant.apply(options);
      quantize(options);
      expect_recorded(options, fmt::format("order {} {}", static_cast<int>(order), variant.name));
    }
}

TEST(VggSmallGraph, IsAsRecordedInEveryOrder) {
  for (const config::UnitOrder order :
       {config::UnitOrder::bac, config::UnitOrder::cba, config::UnitOrder::abc}) {
    ModelOptions options = small_options("vgg_small", Family::vgg_small, 5, 16);
    options.unit_order = order;
    quantize(options);
    expect_recorded(options, fmt::format("order {}", static_cast<int>(order)));
  }
}

TEST(NinGraph, IsAsRecordedWithEveryNormAndActivation) {
  for (const Variant& variant : norms_and_activations()) {
    if (variant.name == "group-norm") continue;  // two groups do not divide five classes
    ModelOptions options = small_options("nin", Family::nin, 5, 16);
    variant.apply(options);
    quantize(options);
    expect_recorded(options, variant.name);
  }
}

TEST(EveryMethodsGraph, IsAsRecorded) {
  using config::Method;
  for (const Method method :
       {Method::dorefa, Method::pact, Method::lsq, Method::non_uniform, Method::lq, Method::xnor})
    for (const int groups : {0, 1, 2, -2}) {
      ModelOptions options = resnet_options("resnet20", BlockOrder::cbsa);
      options.origin = true;
      quantize(options);
      for (config::QuantOptions* tag : {&options.fm, &options.wt}) {
        tag->method = method;
        tag->level = method == Method::xnor ? 2 : 3;
        tag->quant_group = groups;
      }
      expect_recorded(options, fmt::format("method {} groups {}", static_cast<int>(method), groups),
                      Check::state);
    }
}

TEST(PolicyGraph, IsAsRecorded) {
  ModelOptions options = small_resnet20();
  options.wt.quant_group = 1;
  options.policy = config::parse_policy(
      "on init :\n"
      "    by_index: 0 3\n"
      "    by_tag: wt\n"
      "    enable: False\n"
      "    by_index: 2\n"
      "    by_tag: ot\n"
      "    enable: True\n"
      "    method: dorefa\n"
      "    bit: 4\n"
      "    by_tag: fm\n"
      "    method: lq\n",
      "p");
  expect_recorded(options, "policy", Check::state);
  options.policy = config::parse_policy("on init :\n    by_index: 99\n    bit: 4\n", "p");
  try {
    make_network(options);
    FAIL();
  } catch (const core::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("p:2: there is no layer 99: model 'resnet20' has"));
  }
}

TEST(NetworkGraph, TakesImagesThatAreNotSquare) {
  ModelOptions options = small_resnet20();
  const Graph graph = network_graph(options, {1, 24, 16});
  EXPECT_EQ(graph.value(graph.output).type.dims, graph::Dims{5});
  EXPECT_THAT(to_text(graph), HasSubstr("layer3.0.conv1.0 : [16, 6, 4] = "));
  EXPECT_THAT(to_text(graph), HasSubstr("conv1 : [4, 24, 16] = convolution(images, "
                                        "weight[4, 1, 3, 3]) padding 1 precision fixed\n"));
}

void expect_error(const ModelOptions& options, const char* message) {
  try {
    network_graph(options, image_of(options));
    ADD_FAILURE() << "no error: " << message;
  } catch (const core::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr(message));
  }
}

TEST(NetworkGraph, NamesOptionsThatItsFamilyCannotHave) {
  ModelOptions options = small_resnet20();
  options.name = "resnet21";
  expect_error(options, "there is no model 'resnet21'; did you mean 'resnet20'?");
  options = small_resnet20();
  options.order = BlockOrder::none;
  expect_error(options, "needs an order of its layers: add keyword cbas, cbsa, cabs, bacs or bcas");
  options = small_resnet20();
  options.name = "resnet50";
  options.origin = false;
  expect_error(options, "model 'resnet50' needs keyword 'origin'");
  options = small_resnet20();
  options.fixup = true;
  options.base = 2;
  expect_error(options, "keyword 'fixup': a block has one branch, not --base 2");
  options = small_resnet20();
  options.norm = Norm::group;
  expect_error(options, "group-norm: 32 groups do not divide 4 channels");
  options = small_resnet20();
  options.prone = true;
  options.input_size = 15;
  expect_error(options, "cannot be cut into cells");
}

}  // namespace
}  // namespace lowbit::models
