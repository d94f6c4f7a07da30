// A network in one file, as docs/adding.md shows it: it trains, goes on after a stop, is packed and
// proved like those of the library.
#include <gtest/gtest.h>

#include "lowbit/models/families/layers.h"
#include "lowbit/models/families/network_graph.h"
#include "lowbit/run/loaded_network.h"
#include "support/proved_program.h"
#include "train/trainer_fixture.h"

namespace lowbit::adding {
namespace {

using graph::Builder;
using graph::Precision;
using graph::ValueId;
using torch::Tensor;

// A convolution in full precision, one that halves the resolution, and a residual block.
graph::Graph small_network(const config::ModelOptions& options, const graph::Dims& image) {
  namespace layers = models::families;
  Builder b(options.name);
  const auto unit = [&](const char* name, ValueId x, const graph::ConvolutionSpec& spec) {
    x = b.convolution(std::string(name) + ".conv", x, spec);
    return layers::norm(b, std::string(name) + ".norm", x, options);
  };
  const auto activated = [&](const char* name, ValueId x) {
    return layers::activation(b, name, x, options.activation);
  };
  ValueId x = unit("stem", b.input(image),
                   {.out = 8, .kernel = 3, .padding = 1, .precision = Precision::fixed});
  x = activated("relu1", x);
  x = unit("down", x, {.out = 16, .kernel = 3, .stride = 2, .padding = 1});
  const ValueId skip = activated("relu2", x);
  x = unit("block", skip, {.out = 16, .kernel = 3, .padding = 1});
  x = activated("relu3", layers::add_skip(b, "sum", x, skip));
  x = b.global_average("pool", x);
  return b.finish(
      layers::last_linear(b, "fc", x, {.out = options.num_classes, .precision = Precision::fixed}));
}

const bool kAdded = (models::add_network("small_network", small_network), true);

class OneFileNetwork : public train::TrainerTest {
 protected:
  std::vector<std::string> options(std::vector<std::string> more = {}) const {
    std::vector<std::string> all = {"--model", "small_network", "--keyword", "fashion,dorefa,lsq"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  std::filesystem::path saved_file(const std::string& name) const {
    return folder_ / "weights" / "small_network" / (name + "-checkpoint.pth.tar");
  }
  checkpoint::NamedTensors saved_state(const std::string& name) const {
    return checkpoint::state_dict(checkpoint::read_checkpoint(saved_file(name)));
  }
};

TEST_F(OneFileNetwork, TrainsAndGoesOnToTheSameBytes) {
  ASSERT_TRUE(kAdded);
  run("whole", options());
  run("parts", options({"--epochs", "2"}));
  const checkpoint::NamedTensors half = saved_state("parts");
  run("parts", options({"-r"}));
  expect_same_bits(saved_state("whole"), saved_state("parts"));
  EXPECT_FALSE(torch::equal(half[0].second, saved_state("whole")[0].second));
}

TEST_F(OneFileNetwork, IsPackedAndProved) {
  run("x", options({"--epochs", "1"}));
  const torch::NoGradGuard no_grad;
  const run::LoadedNetwork loaded =
      run::load_network(configuration("x", options()).options.model,
                        checkpoint::read_checkpoint(saved_file("x")), saved_file("x").string());
  loaded.network->eval();
  const Tensor pixels = testing_support::noise_images(2, loaded.network->options().input_size);
  const deploy::TrainedGraph trained(*loaded.network, testing_support::normalized(pixels));
  constexpr double kBound = 0.02;
  testing_support::proved_program(*loaded.network, trained, pixels, deploy::Ends::float32, kBound);
}

TEST_F(OneFileNetwork, IsSuggestedForANameThatIsNearIt) {
  try {
    configuration("x", {"--model", "small_netwrk"});
    FAIL() << "no error";
  } catch (const core::Error& error) {
    EXPECT_NE(std::string(error.what()).find("small_network"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace lowbit::adding
