// Networks with numbers that are not finite, or beyond what float32 keeps: refused by the name of
// the node, or packed as they were trained.
#include "lowbit/deploy/finite.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "lowbit/config/parse.h"
#include "lowbit/core/error.h"
#include "lowbit/models/factory.h"
#include "support/proved_program.h"

namespace lowbit::deploy {
namespace {

using testing::HasSubstr;
using testing_support::kMean;
using testing_support::kStd;
using testing_support::noise_images;
using testing_support::normalized;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

class Numbers : public testing::Test {
 protected:
  explicit Numbers(const std::string& method = "dorefa,lsq") {
    torch::manual_seed(5);
    const std::vector<std::string> options = {
        "--num_classes", "10",
        "--dataset",     "cifar10",
        "--model",       "resnet20",
        "--width_alpha", "0.25",
        "--keyword",     "cifar10,origin,fix,singleconv,cbsa," + method,
        "--fm_enable",   "--wt_enable",
        "--fm_bit",      "2",
        "--wt_bit",      "2"};
    network_ = models::make_network(config::parse_network(std::nullopt, options).options.model);
    network_->eval();
    for (auto& item : network_->named_buffers())
      if (item.key().ends_with("iteration")) item.value().fill_(1000);
  }

  // The `place`-th of the parameters and buffers whose name ends so.
  torch::Tensor& entry(const std::string& end, size_t place = 0) {
    entries_ = network_->state();
    for (auto& [name, tensor] : entries_)
      if (name.ends_with(end) && place-- == 0) {
        name_ = name;
        return tensor;
      }
    throw core::failure("no '{}'", end);
  }

  // The node that the entry belongs to, in quotes.
  std::string node() const { return "'" + name_.substr(0, name_.rfind('.')) + "'"; }

  // How far its logits are from the trained network's, in units of the largest.
  double packed_difference() {
    const torch::NoGradGuard no_grad;
    const torch::Tensor pixels = noise_images(2, network_->options().input_size);
    const packed::ModelT model = program(pixels);
    return Prover(*network_, model)
        .prove(pixels, normalized(pixels), torch::zeros({pixels.size(0)}, torch::kInt64))
        .largest_difference;
  }
  packed::ModelT program(const torch::Tensor& pixels) {
    const torch::NoGradGuard no_grad;
    return lower(TrainedGraph(*network_, normalized(pixels)),
                 {.ends = Ends::float32, .mean = kMean, .std = kStd, .network = "", .classes = {}});
  }
  // The message of the Error; "" if it is packed.
  std::string refusal() {
    try {
      packed_difference();
      return "";
    } catch (const core::Error& error) {
      return error.what();
    }
  }

  std::shared_ptr<models::Network> network_;
  std::vector<models::NamedTensor> entries_;
  std::string name_;  // of the entry that was found last
};

TEST_F(Numbers, ClipValuesThatFloat32Keeps_PackTheTrainedNetwork) {
  const torch::NoGradGuard no_grad;
  for (const char* which : {"quant_activation.clip_val", "quant_weight.clip_val"}) {
    torch::Tensor& clip = entry(which, 2);
    const torch::Tensor before = clip.clone();
    for (const float value : {-1.0F, 1e-30F, 1e-10F, 1e-3F, 10.0F, 1e10F, 1e20F}) {
      clip.fill_(value);
      EXPECT_LT(packed_difference(), 0.02) << which << " " << value;
    }
    clip.copy_(before);
  }
}

TEST_F(Numbers, ClipValuesThatFloat32DoesNotKeep_AreRefusedByTheNode) {
  const torch::NoGradGuard no_grad;
  for (const char* which : {"quant_activation.clip_val", "quant_weight.clip_val"}) {
    torch::Tensor& clip = entry(which, 2);
    const torch::Tensor before = clip.clone();
    for (const float value : {0.0F, 1e-45F, 1e-40F, 1e-38F, kInfinity, kNaN}) {
      clip.fill_(value);
      if (value == 0 && which == std::string("quant_weight.clip_val")) {
        // Every weight is 0 then, which packs as it is.
        EXPECT_LT(packed_difference(), 0.02);
        continue;
      }
      EXPECT_THAT(refusal(), HasSubstr(node())) << which << " " << value;
    }
    clip.copy_(before);
  }
}

// Its factor on the sums may be beyond float32 even where the levels are not.
TEST_F(Numbers, HugeClipValues_ArePackedAsTrainedOrRefused) {
  const torch::NoGradGuard no_grad;
  for (const char* which : {"quant_activation.clip_val", "quant_weight.clip_val"}) {
    torch::Tensor& clip = entry(which, 2);
    const torch::Tensor before = clip.clone();
    for (const float value : {1e30F, 1e37F, 3e38F}) {
      clip.fill_(value);
      double difference = 0;
      try {
        difference = packed_difference();
      } catch (const core::Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("'layer")) << which << " " << value;
      }
      EXPECT_LT(difference, 0.02) << which << " " << value;
    }
    clip.copy_(before);
  }
}

TEST_F(Numbers, EntriesThatAreNotFinite_AreRefusedByTheNode) {
  const torch::NoGradGuard no_grad;
  for (const char* which : {"conv1.weight", "fc.weight", "fc.bias", "running_var", "running_mean",
                            "bn1.0.weight", "bn1.0.bias"})
    for (const float value : {kNaN, kInfinity}) {
      torch::Tensor first = entry(which).view({-1}).narrow(0, 0, 1);
      const torch::Tensor before = first.clone();
      first.fill_(value);
      // An infinite variance makes the factor 0 and the channel that of its shift: that is a
      // number.
      if (which == std::string("running_var") && value == kInfinity)
        EXPECT_LT(packed_difference(), 0.02);
      else
        EXPECT_THAT(refusal(), HasSubstr(node())) << which << " " << value;
      first.copy_(before);
    }
}

TEST_F(Numbers, ANegativeVariance_IsRefusedByTheNode) {
  const torch::NoGradGuard no_grad;
  entry("running_var", 3).fill_(-1);
  EXPECT_THAT(refusal(), HasSubstr(node()));
}

TEST_F(Numbers, LogitsThatAreAllZero_AreProvedWithANumber) {
  const torch::NoGradGuard no_grad;
  entry("fc.weight").zero_();
  entry("fc.bias").zero_();
  EXPECT_EQ(packed_difference(), 0);
}

TEST_F(Numbers, OfANetworkThatIsProved_StayAsTheyWere) {
  std::vector<torch::Tensor> before;
  for (const models::NamedTensor& each : network_->state()) before.push_back(each.tensor.clone());
  packed_difference();
  const std::vector<models::NamedTensor> after = network_->state();
  for (size_t i = 0; i < after.size(); ++i)
    EXPECT_TRUE(torch::equal(before[i], after[i].tensor)) << after[i].name;
}

TEST_F(Numbers, EqualNaNs_ProveNothing) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor pixels = noise_images(1, network_->options().input_size);
  packed::ModelT model = program(pixels);
  EXPECT_EQ(first_not_finite(model), "");
  for (size_t step = model.steps.size(); step-- > 0;) {
    auto* conv = model.steps[step]->operation.AsCodeConv();
    if (!conv) continue;
    conv->coefficients[0] = kNaN;
    EXPECT_EQ(first_not_finite(model), "'" + model.values[step + 1]->name + "', coefficients");
    break;
  }
  try {
    Prover(*network_, model).prove(pixels, normalized(pixels), torch::zeros({1}, torch::kInt64));
    FAIL() << "NaN was proved";
  } catch (const core::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("not finite"));
  }
}

class PactNumbers : public Numbers {
 protected:
  PactNumbers() : Numbers("dorefa,pact") {}
};

TEST_F(PactNumbers, ClipValues_ArePackedAsTrainedOrRefusedByTheNode) {
  const torch::NoGradGuard no_grad;
  torch::Tensor& clip = entry("clip_val", 2);
  for (const float value : {-1.0F, 1e-30F, 1e10F}) {
    clip.fill_(value);
    EXPECT_LT(packed_difference(), 0.02) << value;
  }
  for (const float value : {0.0F, 1e-45F, kInfinity, kNaN}) {
    clip.fill_(value);
    EXPECT_THAT(refusal(), HasSubstr(node())) << value;
  }
}

}  // namespace
}  // namespace lowbit::deploy
