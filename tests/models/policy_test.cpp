#include "lowbit/models/policy.h"

#include <gmock/gmock.h>

#include "lowbit/config/parse.h"
#include "lowbit/core/error.h"
#include "lowbit/models/factory.h"

namespace lowbit::models {
namespace {

using config::PolicyEvent;
using config::Tag;
using testing::ElementsAre;

config::ModelOptions options_with(const std::string& policy,
                                  const std::string& keywords = "dorefa,lsq") {
  config::ModelOptions options =
      config::parse_options(
          std::vector<std::string>{"--model", "resnet20", "--keyword",
                                   "cifar10,cbsa,origin,fix,singleconv," + keywords,
                                   "--width_alpha", "0.125", "--fm_enable", "--fm_bit", "2",
                                   "--wt_enable", "--wt_bit", "2", "--dataset", "cifar10"})
          .options.model;
  options.policy = config::parse_policy(policy, "p");
  return options;
}

std::shared_ptr<Network> network_with(const std::string& policy,
                                      const std::string& keywords = "dorefa,lsq") {
  torch::manual_seed(1);
  return make_network(options_with(policy, keywords));
}

quant::Quantizer& at(const Network& network, size_t layer, Tag tag) {
  return *network.quant_layers()[layer].quantizer(tag);
}
int levels(const Network& network, size_t layer, Tag tag) {
  return at(network, layer, tag).level_num().item<int>();
}
torch::Tensor& clip(const Network& network, size_t layer, Tag tag) {
  return *at(network, layer, tag).named_parameters().find("clip_val");
}
torch::Tensor seeded_images() {
  torch::manual_seed(2);
  return torch::randn({2, 3, 32, 32});
}

std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const core::Error& error) {
    return error.what();
  }
  return "";
}

std::vector<std::string> names(const Network& network) {
  std::vector<std::string> result;
  for (const NamedTensor& entry : network.state()) result.push_back(entry.name);
  return result;
}

TEST(Policy, GivesLayersBitsOfTheirOwn) {
  const auto network = network_with(
      "on init :\nby_index: 0 3\nby_tag: wt\nbit: 4\nby_index: 1\nby_tag: fm wt\nlevel_num: 3");
  EXPECT_EQ(levels(*network, 0, Tag::wt), 16);
  EXPECT_EQ(levels(*network, 0, Tag::fm), 4);
  EXPECT_EQ(levels(*network, 1, Tag::wt), 3);
  EXPECT_EQ(levels(*network, 1, Tag::fm), 3);
  EXPECT_EQ(levels(*network, 2, Tag::wt), 4);
  EXPECT_EQ(levels(*network, 3, Tag::wt), 16);
}

TEST(Policy, KeepsTheOrderOfACheckpointsEntries) {
  const auto plain = network_with("");
  const auto changed = network_with(
      "on init :\nby_tag: fm\nenable: False\nby_tag: wt\nstable: 3\nby_tag: fm\nenable: True");
  EXPECT_EQ(names(*plain), names(*changed));
}

TEST(Policy, TurnsQuantizersOffAndOn) {
  const auto network = network_with(
      "on init :\nby_index: 2\nby_tag: fm\nenable: False\n"
      "by_index: 2\nby_tag: ot\nenable: True\nmethod: lsq\nbit: 8");
  EXPECT_FALSE(network->quant_layers()[2].quantizer(Tag::fm));
  EXPECT_EQ(levels(*network, 2, Tag::ot), 256);
  EXPECT_EQ(network->quantizers().size(), network_with("")->quantizers().size());
  EXPECT_TRUE(network->forward(seeded_images()).isfinite().all().item<bool>());
}

// The outputs of the network with a policy, and those of one whose options say the same.
void expect_as_options(const std::string& line, void (*set)(config::QuantOptions&),
                       const std::string& keywords = "dorefa,lsq", const std::string& before = "") {
  const std::string policy = "on init :\nby_tag: fm wt\n";
  const auto by_policy = network_with(policy + before + line, keywords);
  config::ModelOptions options = options_with("", keywords);
  const auto plain = network_with(before.empty() ? "" : policy + before, keywords);
  set(options.fm);
  set(options.wt);
  if (!before.empty()) options.policy = config::parse_policy(policy + before, "p");
  torch::manual_seed(1);
  const auto by_options = make_network(options);
  const auto gradients = [](Network& network) {
    torch::Tensor loss = network.forward(seeded_images()).square().sum();
    if (const torch::Tensor more = network.quantization_loss(); more.defined()) loss = loss + more;
    loss.backward();
    std::vector<torch::Tensor> all = {loss.detach()};
    for (const torch::Tensor& parameter : network.parameters())
      if (parameter.grad().defined()) all.push_back(parameter.grad());
    for (const torch::Tensor& parameter : network.parameters()) all.push_back(parameter.detach());
    return all;
  };
  const auto same = [](const std::vector<torch::Tensor>& a, const std::vector<torch::Tensor>& b) {
    bool equal = a.size() == b.size();
    for (size_t i = 0; equal && i < a.size(); ++i)
      equal = a[i].sizes() == b[i].sizes() && torch::equal(a[i], b[i]);
    return equal;
  };
  const auto a = gradients(*by_policy), b = gradients(*by_options), c = gradients(*plain);
  EXPECT_TRUE(same(a, b)) << line;
  EXPECT_FALSE(same(a, c)) << line << " changes nothing";
}

TEST(Policy, ChangesWhatQuantizersDoWithEveryAttribute) {
  using Q = config::QuantOptions;
  expect_as_options("bit: 3", [](Q& o) { o.bit = 3; });
  expect_as_options("num_levels: 3", [](Q& o) { o.level = 3; });
  expect_as_options("half_range: False", [](Q& o) { o.half_range = false; });
  expect_as_options("boundary: 2", [](Q& o) { o.boundary = 2; });
  expect_as_options("quant_group: 2", [](Q& o) { o.quant_group = 2; });
  expect_as_options("adaptive: var-mean", [](Q& o) { o.adaptive = config::Adaptive::var_mean; });
  expect_as_options("grad_scale: fan-scale",
                    [](Q& o) { o.grad_scale = config::GradScale::fan_scale; });
  expect_as_options("grad_type: STE-scale\nboundary: 0.05", [](Q& o) {
    o.grad_type = config::GradType::ste_scale;
    o.boundary = 0.05;
  });
  expect_as_options("stable: 3", [](Q& o) { o.stable = 3; });
  expect_as_options("method: dorefa", [](Q& o) { o.method = config::Method::dorefa; });
  expect_as_options(
      "symmetry: True", [](Q& o) { o.symmetry = true; }, "dorefa,lsq", "half_range: False\n");
  expect_as_options(
      "scale: 3", [](Q& o) { o.scale = 3; }, "dorefa,lsq", "grad_scale: fan-scale\n");
  expect_as_options(
      "correlate: 0.5", [](Q& o) { o.correlate = 0.5; }, "dorefa,lsq", "stable: 3\n");
  expect_as_options(
      "adaptive_restore: True", [](Q& o) { o.adaptive_restore = true; }, "dorefa,lsq",
      "adaptive: var-mean\n");
  expect_as_options("quant_loss_enable: True", [](Q& o) { o.loss_enable = true; });
  expect_as_options(
      "quant_loss_function: L1", [](Q& o) { o.loss_function = config::QuantLoss::l1; },
      "dorefa,lsq", "quant_loss_enable: True\n");
  expect_as_options(
      "quant_loss_alpha: 3", [](Q& o) { o.loss_alpha = 3; }, "dorefa,lsq",
      "quant_loss_enable: True\n");
  expect_as_options(
      "custom: channel", [](Q& o) { o.xnor_factor = config::XnorFactor::channel; }, "dorefa",
      "bit: 1\nmethod: xnor\n");
}

TEST(Policy, NamesTheLineOfALayerThatThereIsNot) {
  EXPECT_EQ(error_of([] { network_with("on init :\nby_index: 1 99\nbit: 3"); }),
            "p:2: there is no layer 99: model 'resnet20' has 20, 0 to 19");
  EXPECT_EQ(error_of([] { network_with("on epoch : 7\nby_index: 20\nbit: 3"); }),
            "p:2: there is no layer 20: model 'resnet20' has 20, 0 to 19")
      << "before it is applied";
}

TEST(Policy, NamesTheLineOfAQuantizerThatCannotBe) {
  EXPECT_EQ(error_of([] { network_with("on init :\nby_tag: ot\nenable: True"); }),
            "p:3: quantized without a number of bits: add 'bit: 2'");
}

TEST(Policy, OfAnEpochKeepsWhatWasLearned) {
  const auto network = network_with(
      "on epoch : 3\nby_tag: wt\nadaptive: var-mean\n"
      "on epoch : 5\nby_tag: wt\nboundary: 4\n");
  {
    const torch::NoGradGuard no_grad;
    clip(*network, 1, Tag::wt).fill_(0.25);
  }
  EXPECT_FALSE(apply_policy(*network, PolicyEvent::epoch, 2).applied);
  const PolicyEffect effect = apply_policy(*network, PolicyEvent::epoch, 3);
  EXPECT_TRUE(effect.applied && effect.replaced);
  EXPECT_TRUE(effect.started.empty());
  EXPECT_EQ(at(*network, 1, Tag::wt).options().adaptive, config::Adaptive::var_mean);
  EXPECT_EQ(clip(*network, 1, Tag::wt).mean().item<float>(), 0.25F);
  EXPECT_TRUE(clip(*network, 1, Tag::wt).requires_grad());
  apply_policy(*network, PolicyEvent::epoch, 5);
  EXPECT_EQ(clip(*network, 1, Tag::wt).mean().item<float>(), 4.0F);
}

TEST(Policy, ProgressiveLevelsScaleALearnedClipValue) {
  const auto network = network_with(
      "on init :\nbit: 4\nby_tag: fm\nprogressive: True\n"
      "on epoch : 1 2\nby_tag: fm wt\nlevel_num: -8");
  const torch::Tensor before = clip(*network, 1, Tag::fm);
  const PolicyEffect effect = apply_policy(*network, PolicyEvent::epoch, 1);
  EXPECT_EQ(levels(*network, 1, Tag::fm), 8);
  EXPECT_FLOAT_EQ(clip(*network, 1, Tag::fm).item<float>(), 7.0F / 15);
  EXPECT_TRUE(clip(*network, 1, Tag::fm).is_same(before));
  EXPECT_TRUE(std::any_of(effect.started.begin(), effect.started.end(),
                          [&](const torch::Tensor& each) { return each.is_same(before); }));
  EXPECT_EQ(levels(*network, 1, Tag::wt), 8);
  EXPECT_EQ(clip(*network, 1, Tag::wt).mean().item<float>(), 1.0F) << "not progressive";
  EXPECT_EQ(error_of([&] { apply_policy(*network, PolicyEvent::epoch, 2); }),
            "p:7: 'level_num: -8': 0 levels are out of range (2..256)");
}

TEST(Policy, LeavesLayersInFullPrecisionAlone) {
  const auto network = network_with("on init :\nenable: True\nbit: 4", "dorefa,lsq,real_skip");
  size_t without = 0;
  for (const QuantLayer& layer : network->quant_layers())
    without += layer.quantizer(Tag::wt) == nullptr;
  EXPECT_EQ(without, 2u) << "the two shortcuts";
}

TEST(RestartQuantizers, PutsTheirStateBackAndLeavesWeights) {
  const auto network = network_with("");
  const torch::NoGradGuard no_grad;
  clip(*network, 0, Tag::fm).fill_(5);
  torch::Tensor weight = network->quant_layers()[0].weight();
  weight.fill_(0.5);
  network->restart_quantizers();
  EXPECT_EQ(clip(*network, 0, Tag::fm).item<float>(), 1.0F);
  EXPECT_EQ(weight.mean().item<float>(), 0.5F);
}

size_t convolutions(const std::string& model, double block_alpha) {
  config::ModelOptions options =
      config::parse_options(std::vector<std::string>{"--model", model, "--keyword", "cbas,origin"})
          .options.model;
  options.block_alpha = block_alpha;
  return make_network(options)->quant_layers().size();
}

TEST(BlockAlpha, ScalesTheNumberOfBlocks) {
  EXPECT_EQ(convolutions("resnet20", 1) - convolutions("resnet20", 1.0 / 3), 12u);
  EXPECT_EQ(convolutions("resnet20", 0.1), convolutions("resnet20", 1.0 / 3)) << "at least one";
  EXPECT_EQ(convolutions("resnet20", 2) - convolutions("resnet20", 1), 18u);
  EXPECT_GT(convolutions("pytorch-resnet18", 2), convolutions("pytorch-resnet18", 1));
  EXPECT_GT(convolutions("mobilenetv2", 2), convolutions("mobilenetv2", 1));
}

}  // namespace
}  // namespace lowbit::models
