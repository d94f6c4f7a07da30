// The graphs of the families beside the networks of modules: state, start values, layers of
// policies, shapes.
#include "lowbit/models/families/network_graph.h"

#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn/init.h>

#include <filesystem>
#include <functional>
#include <map>

#include "lowbit/config/parse.h"
#include "lowbit/core/error.h"
#include "lowbit/graph/text.h"
#include "lowbit/models/evaluation.h"
#include "lowbit/models/factory.h"
#include "lowbit/quant/factory.h"
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
using graph::Role;
using graph::ValueId;
using testing::HasSubstr;

std::string entry(const std::string& name, const std::vector<int64_t>& dims, const char* role) {
  return fmt::format("{} {} {}", name, dims, role);
}

// Name, shape and role of each entry of checkpoints.
std::vector<std::string> entries(const torch::nn::Module& network) {
  const auto parameters = network.named_parameters();
  std::vector<std::string> result;
  for (const NamedTensor& each : state_of(network)) {
    const char* role = "statistics";
    if (parameters.contains(each.name))
      role = each.tensor.requires_grad() ? "trained" : "frozen";
    else if (each.tensor.scalar_type() == torch::kInt64)
      role = "counter";
    result.push_back(entry(each.name, each.tensor.sizes().vec(), role));
  }
  return result;
}

const char* role_name(Role role) {
  switch (role) {
    case Role::trained:
      return "trained";
    case Role::frozen:
      return "frozen";
    case Role::statistics:
      return "statistics";
    case Role::counter:
      break;
  }
  return "counter";
}

std::shared_ptr<quant::Quantizer> quantizer_of(const graph::Node& node) {
  const auto& q = std::get<graph::Quantize>(node.operation);
  return quant::make_quantizer({q.tag, q.shape, q.batch_size, q.input_size}, q.options);
}

std::vector<std::string> entries(const Graph& graph) {
  const graph::Uses uses(graph);
  std::vector<std::string> result;
  for (const ValueId id : graph.state) {
    const graph::Value& value = graph.value(id);
    if (const graph::Parameter* parameter = uses.parameter(id)) {
      result.push_back(entry(value.name, value.type.dims, role_name(parameter->role)));
      continue;
    }
    // That of the method, below the quantizer's name.
    for (const std::string& each : entries(*quantizer_of(*uses.producer(id))))
      result.push_back(value.name + "." + each);
  }
  return result;
}

std::vector<std::string> quantizable(const Network& network) {
  std::vector<std::string> names;
  for (const nn::QuantLayer* layer : network.quant_layers())
    names.push_back(layer->layer_path() + (layer->quant_options(config::Tag::fm) ? "" : " full"));
  return names;
}

std::vector<std::string> quantizable(const Graph& graph) {
  std::vector<std::string> names;
  for (const size_t node : quantizable_layers(graph)) {
    const bool full = precision_of(graph.nodes[node].operation) == graph::Precision::full;
    names.push_back(graph.name_of(graph.nodes[node]) + (full ? " full" : ""));
  }
  return names;
}

torch::Tensor drawn(const graph::Parameter& parameter, const graph::Dims& dims) {
  torch::Tensor tensor = torch::empty(dims);
  if (parameter.role == Role::counter) tensor = tensor.to(torch::kInt64);
  const graph::Init& init = parameter.init;
  if (init.kind == graph::Init::Kind::kaiming_normal)
    torch::nn::init::kaiming_normal_(tensor, 0, torch::kFanOut, torch::kReLU);
  else if (init.kind == graph::Init::Kind::uniform)
    tensor.uniform_(-init.value, init.value);
  else
    tensor.fill_(init.value);
  if (init.factor == 0)
    tensor.zero_();
  else if (init.factor != 1)
    tensor.mul_(init.factor);
  return tensor;
}

// The start values that differ, drawn in the order of the state.
std::vector<std::string> other_start_values(const Graph& graph, const Network& network,
                                            uint64_t seed) {
  std::map<std::string, torch::Tensor> expected;
  for (const NamedTensor& each : network.state()) expected[each.name] = each.tensor;
  const graph::Uses uses(graph);
  torch::manual_seed(seed);
  std::vector<std::string> names;
  for (const ValueId id : graph.state)
    if (const graph::Parameter* parameter = uses.parameter(id)) {
      const graph::Value& value = graph.value(id);
      if (!torch::equal(drawn(*parameter, value.type.dims), expected[value.name]))
        names.push_back(value.name);
    }
  return names;
}

// The nodes whose outputs are not as large as those of the layers of the same name.
std::vector<std::string> other_shapes(const Graph& graph, Network& network) {
  std::map<std::string, graph::Dims> dims;
  for (const graph::Node& node : graph.nodes)
    dims[graph.name_of(node)] = graph.value(node.output).type.dims;
  // A layer that is used several times has several shapes.
  std::erase_if(dims, [&](const auto& each) { return dims.contains(each.first + "_1"); });
  const torch::NoGradGuard no_grad;
  const Evaluation evaluation(network);
  std::vector<int64_t> images = graph.value(graph.input).type.dims;
  images.insert(images.begin(), 2);
  std::vector<std::string> names;
  size_t seen = 0;
  network.probe(torch::zeros(images),
                [&](const nn::Layer& layer, const torch::Tensor&, const torch::Tensor& y) {
                  const auto node = dims.find(layer.path());
                  if (node == dims.end()) return;
                  ++seen;
                  if (y.sizes().slice(1).vec() != node->second) names.push_back(layer.path());
                });
  EXPECT_GT(seen, graph.nodes.size() / 3);
  return names;
}

enum class Check { state, all };

void expect_same_network(const ModelOptions& options, const std::string& what,
                         Check check = Check::all) {
  SCOPED_TRACE(what);
  constexpr uint64_t seed = 11;
  torch::manual_seed(seed);
  const std::shared_ptr<Network> network = make_network(options);
  Graph graph;
  try {
    graph = quantized_graph(options);
  } catch (const core::Error& error) {
    ADD_FAILURE() << error.what();
    return;
  }
  ASSERT_EQ(entries(graph), entries(*network));
  EXPECT_EQ(quantizable(graph), quantizable(*network));
  if (check == Check::state) return;
  EXPECT_EQ(other_start_values(graph, *network, seed), std::vector<std::string>());
  EXPECT_EQ(other_shapes(graph, *network), std::vector<std::string>());
}

class RecordedGraph : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(RecordedGraph, IsThatOfItsNetwork) {
  const parity::ParityNetwork recorded = parity::parity_network(GetParam());
  expect_same_network(recorded.network->options(), GetParam().stem());
}

INSTANTIATE_TEST_SUITE_P(Cases, RecordedGraph, testing::ValuesIn(testing_support::recorded()),
                         testing_support::file_name);

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

TEST(ResNetGraph, IsItsNetworkInEveryOrderWithEveryKeyword) {
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
        expect_same_network(options, fmt::format("order {} origin {} {}", static_cast<int>(order),
                                                 origin, variant.name));
      }
}

TEST(ResNetGraph, IsItsNetworkWithFixup) {
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
        expect_same_network(options, fmt::format("fixup bias {} {}", bias, variant.name));
      }
}

TEST(ResNetGraph, IsItsNetworkWithEveryStemAndDepth) {
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
      expect_same_network(options, fmt::format("{} {}", name, stem.name));
    }
  }
}

TEST(EveryGraph, HasTheStateOfItsNetwork) {
  EXPECT_EQ(graph_names(), config::model_names());
  for (const std::string& name : graph_names()) {
    ModelOptions options = small_options("", config::family_of(name), 5, 32);
    options.name = name;
    options.order = BlockOrder::cbas;
    options.unit_order = config::UnitOrder::cba;
    options.origin = options.singleconv = options.family == Family::resnet;
    options.width_alpha = options.family == Family::resnet ? 0.03125 : 1;
    quantize(options);
    expect_same_network(options, name, Check::state);
  }
}

TEST(PytorchResNetGraph, IsItsNetworkWithEveryKeyword) {
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
      expect_same_network(options, fmt::format("{} {}", name, variant.name),
                          variant.name == "caffe-pooling,PReLU" ? Check::all : Check::state);
    }
}

TEST(MobileNetV1Graph, IsItsNetworkInEveryOrderWithEveryKeyword) {
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
      expect_same_network(options,
                          fmt::format("order {} {}", static_cast<int>(order), variant.name));
    }
}

TEST(MobileNetV2Graph, IsItsNetworkInEveryOrderWithEveryKeyword) {
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
      expect_same_network(options,
                          fmt::format("order {} {}", static_cast<int>(order), variant.name),
                          variant.name == "first-last" ? Check::all : Check::state);
    }
}

TEST(VggSmallGraph, IsItsNetworkInEveryOrder) {
  for (const config::UnitOrder order :
       {config::UnitOrder::bac, config::UnitOrder::cba, config::UnitOrder::abc}) {
    ModelOptions options = small_options("vgg_small", Family::vgg_small, 5, 16);
    options.unit_order = order;
    quantize(options);
    expect_same_network(options, fmt::format("order {}", static_cast<int>(order)));
  }
}

TEST(NinGraph, IsItsNetworkWithEveryNormAndActivation) {
  for (const Variant& variant : norms_and_activations()) {
    if (variant.name == "group-norm") continue;  // two groups do not divide five classes
    ModelOptions options = small_options("nin", Family::nin, 5, 16);
    variant.apply(options);
    quantize(options);
    expect_same_network(options, variant.name, variant.name == "PReLU" ? Check::all : Check::state);
  }
}

TEST(EveryMethodsGraph, HasTheStateOfItsNetwork) {
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
      expect_same_network(options,
                          fmt::format("method {} groups {}", static_cast<int>(method), groups),
                          Check::state);
    }
}

TEST(PolicyGraph, HasTheStateOfItsNetwork) {
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
  expect_same_network(options, "policy", Check::state);
  options.policy = config::parse_policy("on init :\n    by_index: 99\n    bit: 4\n", "p");
  try {
    quantized_graph(options);
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
  expect_error(options, "needs the order of its blocks as a keyword: cbas, cbsa, cabs, bacs, bcas");
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
