#include "lowbit/deploy/lower.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <sstream>

#include "lowbit/config/parse.h"
#include "lowbit/deploy/evaluate.h"
#include "lowbit/deploy/packed_size.h"
#include "lowbit/models/factory.h"
#include "lowbit/runtime/container.h"
#include "support/proved_program.h"

namespace lowbit::deploy {
namespace {

using testing_support::kMean;
using testing_support::kStd;
using testing_support::noise_images;
using testing_support::normalized;

struct Case {
  std::string name;
  std::vector<std::string> options;
};

void PrintTo(const Case& value, std::ostream* out) {
  *out << value.name;
}

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

// Running statistics and factors as training leaves them, not those of a new network.
void age(models::Network& network) {
  const torch::NoGradGuard no_grad;
  for (auto& item : network.named_buffers()) {
    if (item.key().ends_with("running_mean")) item.value().normal_(0, 0.3);
    if (item.key().ends_with("running_var")) item.value().uniform_(0.5, 2);
    if (item.key().ends_with("iteration")) item.value().fill_(1000);
  }
  for (auto& item : network.named_parameters())
    if (item.value().dim() == 1 && item.key().find("bn") != std::string::npos)
      item.value().add_(torch::randn_like(item.value()) * 0.2);
}

std::shared_ptr<models::Network> network_of(const Case& c) {
  std::vector<std::string> options = words("--num_classes 10 --dataset cifar10");
  options.insert(options.end(), c.options.begin(), c.options.end());
  torch::manual_seed(3);
  const auto network =
      models::make_network(config::parse_network(std::nullopt, options).options.model);
  age(*network);
  network->eval();
  return network;
}

class EveryNetwork : public testing::TestWithParam<Case> {};

TEST_P(EveryNetwork, BecomesAProgramThatGivesItsLogits) {
  const torch::NoGradGuard no_grad;
  const auto network = network_of(GetParam());
  const torch::Tensor pixels = noise_images(3, network->options().input_size);
  const TrainedGraph trained(*network, normalized(pixels));
  constexpr double kBound = 0.02;
  for (const Ends ends : {Ends::float32, Ends::int8, Ends::int4})
    testing_support::proved_program(*network, trained, pixels, ends, kBound);
}

const char* const kResNet =
    "--model resnet20 --width_alpha 0.25 --keyword cifar10,origin,fix,singleconv,cbsa";
Case cifar(const std::string& name, const std::string& keywords, const std::string& more) {
  return {name, words(std::string(kResNet) + "," + keywords + " --fm_enable --wt_enable " + more)};
}

INSTANTIATE_TEST_SUITE_P(
    Of, EveryNetwork,
    testing::Values(
        Case{"full", words(std::string(kResNet))},
        cifar("lsq", "dorefa,lsq", "--fm_bit 2 --wt_bit 2 --fm_boundary 2 --wt_boundary 1"),
        cifar("lsq_var_mean", "dorefa,lsq",
              "--fm_bit 2 --wt_bit 2 --wt_adaptive var-mean --wt_boundary 1.5"),
        cifar("dorefa", "dorefa", "--fm_bit 3 --wt_bit 3"),
        cifar("pact", "dorefa,pact", "--fm_bit 4 --wt_bit 4"),
        cifar("xnor", "xnor", "--fm_bit 1 --wt_bit 1"), cifar("lq", "lq", "--fm_bit 2 --wt_bit 2"),
        cifar("lq_mean", "lq", "--fm_bit 2 --wt_bit 2 --fm_adaptive mean"),
        cifar("ternary", "dorefa,non-uniform", "--fm_level 3 --wt_level 3 --fm_bit 2 --wt_bit 2")),
    [](const auto& given) { return given.param.name; });

TEST(Normalize, IsTheImageAsNetworksSeeItToTheBit) {
  const torch::NoGradGuard no_grad;
  const auto network = network_of({"", words(kResNet)});
  torch::Tensor pixels = noise_images(1, network->options().input_size);
  pixels.view({-1, 3}).narrow(0, 0, 256).copy_(torch::arange(256).view({-1, 1}).expand({-1, 3}));
  const packed::ModelT model =
      lower(TrainedGraph(*network, normalized(pixels)),
            {.ends = Ends::float32, .mean = kMean, .std = kStd, .network = "", .classes = {}});
  ASSERT_EQ(model.steps.front()->operation.type, packed::Operation::Normalize);
  EXPECT_TRUE(torch::equal(evaluate(model, pixels)[1], normalized(pixels)));
}

// Numbers of the weights by what trains them: the first layer, the last one and shortcuts in full
// precision, all others quantized.
struct WeightCounts {
  size_t first = 0, last = 0, shortcuts = 0, others = 0;
};

WeightCounts weight_counts(const models::Network& network) {
  WeightCounts counts;
  for (const auto& item : network.named_parameters()) {
    const std::string& name = item.key();
    if (item.value().dim() < 2 || !name.ends_with(".weight")) continue;
    size_t& count = name == "conv1.weight"                     ? counts.first
                    : name == "fc.weight"                      ? counts.last
                    : name.find(".skip.") != std::string::npos ? counts.shortcuts
                                                               : counts.others;
    count += static_cast<size_t>(item.value().numel());
  }
  return counts;
}

std::map<std::string, size_t> sizes_of(const Case& c, Ends ends) {
  const torch::NoGradGuard no_grad;
  const auto network = network_of(c);
  const TrainedGraph trained(*network, normalized(noise_images(2, network->options().input_size)));
  const packed::ModelT model =
      lower(trained, {.ends = ends, .mean = kMean, .std = kStd, .network = "", .classes = {}});
  const size_t bytes = runtime::seal(model).size();
  std::map<std::string, size_t> sizes;
  size_t sum = 0;
  for (const SizePart& part : packed_size(model, bytes)) {
    sizes[part.name] = part.bytes;
    sum += part.bytes;
  }
  EXPECT_EQ(sum, bytes);
  return sizes;
}

TEST(PackedSize, IsThatOfWeightsInTheirWidthAndAddsUpToTheFile) {
  const Case two_bits = cifar("", "dorefa,lsq", "--fm_bit 2 --wt_bit 2 --fm_boundary 2");
  const WeightCounts count = weight_counts(*network_of(two_bits));
  ASSERT_GT(count.shortcuts, 0);
  auto sizes = sizes_of(two_bits, Ends::int8);
  EXPECT_EQ(sizes["weights of 2 bits"], (count.others + count.shortcuts) / 4);
  EXPECT_EQ(sizes["weights of 8 bits"], count.first + count.last);
  sizes = sizes_of(two_bits, Ends::int4);
  EXPECT_EQ(sizes["weights of 8 bits"], count.first);
  EXPECT_EQ(sizes["weights of 4 bits"], count.last / 2);
  sizes = sizes_of(two_bits, Ends::float32);
  EXPECT_EQ(sizes["weights of 32 bits"], 4 * (count.first + count.last));
}

TEST(PackedSize, OfShortcutsThatStayInFullPrecisionIsThatOfTheEnds) {
  const Case one_bit = cifar("", "xnor,real_skip", "--fm_bit 1 --wt_bit 1");
  const WeightCounts count = weight_counts(*network_of(one_bit));
  auto sizes = sizes_of(one_bit, Ends::int8);
  EXPECT_EQ(sizes["weights of 1 bit"], count.others / 8);
  EXPECT_EQ(sizes["weights of 8 bits"], count.first + count.last + count.shortcuts);
  sizes = sizes_of(one_bit, Ends::int4);
  EXPECT_EQ(sizes["weights of 8 bits"], count.first);
  EXPECT_EQ(sizes["weights of 4 bits"], (count.last + count.shortcuts) / 2);
}

}  // namespace
}  // namespace lowbit::deploy
