// Whole networks and runs on what leaves a quantizer nothing to scale by: they go on, or they end
// with an error that names the first layer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "lowbit/core/error.h"
#include "lowbit/models/factory.h"
#include "trainer_fixture.h"

namespace lowbit::train {
namespace {

using ::testing::HasSubstr;

struct SteadyMethod {  // of quantization
  const char* name;    // of the test
  const char* keyword;
};

void PrintTo(const SteadyMethod& method, std::ostream* out) {
  *out << method.keyword;
}

// One row for each method.
constexpr SteadyMethod kMethods[] = {
    {"Dorefa", "dorefa"},
    {"Lsq", "dorefa,lsq"},
};

class Steadiness : public TrainerTest, public ::testing::WithParamInterface<SteadyMethod> {
 protected:
  std::vector<std::string> with_method(std::vector<std::string> more) const {
    more.insert(more.end(),
                {"--epochs", "1", "--keyword",
                 std::string("fashion,cbsa,origin,fix,singleconv,") + GetParam().keyword});
    return more;
  }

  // The network of the method in evaluation mode.
  std::shared_ptr<models::Network> network() const {
    torch::manual_seed(1);
    auto result = models::make_network(configuration("network", with_method({})).options.model);
    result->eval();
    return result;
  }

  // An epoch from weights that `change` made, given each name and tensor.
  run::RunResult train_from(const std::function<void(const std::string&, torch::Tensor&)>& change,
                            std::vector<std::string> more = {}) const {
    const torch::NoGradGuard no_grad;
    checkpoint::NamedTensors tensors = checkpoint::named_tensors(*network());
    for (auto& [name, tensor] : tensors) change(name, tensor);
    const fs::path file = folder_ / "start.pth.tar";
    checkpoint::write_checkpoint(file, checkpoint::to_dict(tensors));
    more.insert(more.end(), {"--pretrained", file.string()});
    const torch::AutoGradMode grad(true);
    return run("steady", with_method(more));
  }

  void expect_survival(const run::RunResult& result) const {
    ASSERT_TRUE(result.last);
    EXPECT_TRUE(std::isfinite(result.last->loss));
    for (const auto& [name, tensor] : saved("steady"))
      EXPECT_TRUE(torch::isfinite(tensor).all().item<bool>()) << name;
  }

  static bool ends_with(const std::string& name, const std::string& end) {
    return name.size() >= end.size() && name.substr(name.size() - end.size()) == end;
  }
  static bool is_quantized_weight(const std::string& name) {
    return ends_with(name, ".weight") && name.find(".conv") != std::string::npos;
  }
};

TEST_P(Steadiness, AWeightChannelOfZerosIsTrained) {
  expect_survival(train_from([](const std::string& name, torch::Tensor& tensor) {
    if (is_quantized_weight(name)) tensor[0].zero_();
  }));
}

TEST_P(Steadiness, AWeightChannelOfZerosThatIsToBeNormalizedIsNamed) {
  try {
    train_from(
        [](const std::string& name, torch::Tensor& tensor) {
          if (name == "layer2.1.conv1.0.weight") tensor[0].zero_();
        },
        {"--wt_adaptive", "var-mean"});
    FAIL() << "no error";
  } catch (const core::Error& error) {
    EXPECT_THAT(std::string(error.what()), HasSubstr("first in layer 'layer2.1.conv1.0'"));
  }
}

// The norms give the same value everywhere: 0.25 in each of them, and then 0.
TEST_P(Steadiness, ConstantActivationsAreTrained) {
  for (const double constant : {0.25, 0.0})
    expect_survival(train_from([constant](const std::string& name, torch::Tensor& tensor) {
      if (name.find("bn") == std::string::npos) return;
      if (ends_with(name, ".weight")) tensor.zero_();
      if (ends_with(name, ".bias")) tensor.fill_(constant);
    }));
}

TEST_P(Steadiness, ConstantActivationsPassTheWarmUp) {
  expect_survival(train_from(
      [](const std::string& name, torch::Tensor& tensor) {
        if (name.find("bn") != std::string::npos) tensor.zero_();
      },
      {"--stable", "2"}));
}

// When the file is loaded, with and without validation.
TEST_P(Steadiness, AWeightThatIsNotFiniteIsNamed) {
  for (const char* validation : {"40", "0"}) {
    for (const double value : {std::numeric_limits<double>::infinity(), std::nan("")}) {
      try {
        train_from(
            [value](const std::string& name, torch::Tensor& tensor) {
              if (name == "layer1.2.conv2.0.weight") tensor[0][0][0][0] = value;
            },
            {"-v", validation});
        FAIL() << "no error: " << value << ", validation " << validation;
      } catch (const core::Error& error) {
        EXPECT_THAT(std::string(error.what()), HasSubstr("'layer1.2.conv2.0.weight' holds"))
            << value;
      }
    }
  }
}

TEST_P(Steadiness, AnImageWithANumberThatIsNotFiniteIsNoticedAtTheFirstLayer) {
  const torch::NoGradGuard no_grad;
  const auto net = network();
  const int64_t side = net->options().input_size;
  torch::Tensor images = torch::rand({2, 3, side, side});
  const torch::Tensor good = net->forward(images)[1];
  for (const double value : {std::numeric_limits<double>::infinity(), std::nan("")}) {
    images.index_put_({0, 1, side / 2, side / 2}, value);
    EXPECT_EQ(net->first_non_finite_layer(images), "conv1") << value;
    // It stays in its image, and NaN is not quantized away.
    const torch::Tensor logits = net->forward(images);
    EXPECT_TRUE(torch::equal(logits[1], good)) << value;
    if (std::isnan(value)) {
      EXPECT_TRUE(torch::isnan(logits[0]).all().item<bool>());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Of, Steadiness, ::testing::ValuesIn(kMethods),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace lowbit::train
