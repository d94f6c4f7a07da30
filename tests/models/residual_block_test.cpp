#include "block_reference.h"
#include "lowbit/core/error.h"

namespace lowbit::models {
namespace {

using config::BlockOrder;
using testing::ElementsAre;
using torch::relu;
using torch::Tensor;

config::ModelOptions block_options(BlockOrder order, bool origin, bool fix) {
  config::ModelOptions options;
  options.order = order;
  options.origin = origin;
  options.fix = fix;
  return options;
}

Tensor pool(const Tensor& x) {
  return torch::avg_pool2d(x, 2, 2);
}

TEST(ResidualBlock, WithOriginKeepsTheLastActivationOnTheBranch) {
  for (const BlockOrder order : {BlockOrder::cbas, BlockOrder::cbsa}) {
    ResidualBlock block(kSame, block_options(order, true, false));
    expect_equals(block, features(), [](const Written& w, const Tensor& x) {
      const Tensor y = relu(w.norm("bn1.0", w.conv("conv1.0", x)));
      return relu(w.norm("bn2.0", w.conv("conv2.0", y))) + x;
    });
  }
}

TEST(ResidualBlock, WithOriginAndFixMovesTheLastActivationBehindTheSum) {
  for (const BlockOrder order : {BlockOrder::cbas, BlockOrder::cbsa}) {
    ResidualBlock block(kSame, block_options(order, true, true));
    expect_equals(block, features(), [](const Written& w, const Tensor& x) {
      const Tensor y = relu(w.norm("bn1.0", w.conv("conv1.0", x)));
      return relu(w.norm("bn2.0", w.conv("conv2.0", y)) + x);
    });
  }
}

TEST(ResidualBlock, OfOrderCabsHasNothingForFixToMove) {
  for (const bool fix : {false, true}) {
    ResidualBlock block(kStrided, block_options(BlockOrder::cabs, true, fix));
    expect_equals(block, features(), [fix](const Written& w, const Tensor& x) {
      const Tensor y = w.norm("bn1.0", relu(w.conv("conv1.0", x, 2)));
      const Tensor skip = w.norm("skip.2", w.conv("skip.1", pool(x)));
      return w.norm("bn2.0", relu(w.conv("conv2.0", y))) + (fix ? skip : relu(skip));
    });
  }
}

TEST(ResidualBlock, OfOrderBacsGetsANormOnTheBranchAndInTheShortcutByFix) {
  for (const bool fix : {false, true}) {
    ResidualBlock block(kStrided, block_options(BlockOrder::bacs, true, fix));
    expect_equals(block, features(), [fix](const Written& w, const Tensor& x) {
      Tensor y = w.conv("conv1.0", relu(w.norm("bn1.0", x)), 2);
      y = w.conv("conv2.0", relu(w.norm("bn2.0", y)));
      Tensor skip = w.conv("skip.3", relu(w.norm("skip.1", pool(x))));
      if (fix) y = w.norm("fix_bn", y), skip = w.norm("skip.4", skip);
      return y + skip;
    });
  }
}

TEST(ResidualBlock, OfOrderBcasGetsANormOnTheBranchAndInTheShortcutByFix) {
  for (const bool fix : {false, true}) {
    ResidualBlock block(kStrided, block_options(BlockOrder::bcas, true, fix));
    expect_equals(block, features(), [fix](const Written& w, const Tensor& x) {
      Tensor y = relu(w.conv("conv1.0", w.norm("bn1.0", x), 2));
      y = relu(w.conv("conv2.0", w.norm("bn2.0", y)));
      Tensor skip = relu(w.conv("skip.2", w.norm("skip.1", pool(x))));
      if (fix) y = w.norm("fix_bn", y), skip = w.norm("skip.4", skip);
      return y + skip;
    });
  }
}

TEST(ResidualBlock, WithoutOriginSkipsAroundEachConvolutionWhateverTheOrder) {
  for (const bool fix : {false, true}) {
    ResidualBlock cbsa(kSame, block_options(BlockOrder::cbsa, false, fix));
    expect_equals(cbsa, features(), [](const Written& w, const Tensor& x) {
      const Tensor y = relu(w.norm("bn1.0", w.conv("conv1.0", x)) + x);
      return relu(w.norm("bn2.0", w.conv("conv2.0", y)) + y);
    });
    ResidualBlock cbas(kSame, block_options(BlockOrder::cbas, false, fix));
    expect_equals(cbas, features(), [](const Written& w, const Tensor& x) {
      const Tensor y = relu(w.norm("bn1.0", w.conv("conv1.0", x))) + x;
      return relu(w.norm("bn2.0", w.conv("conv2.0", y))) + y;
    });
    ResidualBlock cabs(kSame, block_options(BlockOrder::cabs, false, fix));
    expect_equals(cabs, features(), [](const Written& w, const Tensor& x) {
      const Tensor y = w.norm("bn1.0", relu(w.conv("conv1.0", x))) + x;
      return w.norm("bn2.0", relu(w.conv("conv2.0", y))) + y;
    });
    ResidualBlock bacs(kSame, block_options(BlockOrder::bacs, false, fix));
    expect_equals(bacs, features(), [](const Written& w, const Tensor& x) {
      const Tensor y = w.conv("conv1.0", relu(w.norm("bn1.0", x))) + x;
      return w.conv("conv2.0", relu(w.norm("bn2.0", y))) + y;
    });
    ResidualBlock bcas(kSame, block_options(BlockOrder::bcas, false, fix));
    expect_equals(bcas, features(), [](const Written& w, const Tensor& x) {
      const Tensor y = relu(w.conv("conv1.0", w.norm("bn1.0", x))) + x;
      return relu(w.conv("conv2.0", w.norm("bn2.0", y))) + y;
    });
  }
}

TEST(ResidualBlock, WithoutOriginTheFirstConvolutionOfAStridedBlockAddsTheShortcut) {
  config::ModelOptions options = block_options(BlockOrder::bacs, false, false);
  options.singleconv = true;
  ResidualBlock block(kStrided, options);
  expect_equals(block, features(), [](const Written& w, const Tensor& x) {
    const Tensor skip = torch::conv2d(relu(w.norm("skip.1", x)), w.at("skip.3.weight"), {}, 2);
    const Tensor y = w.conv("conv1.0", relu(w.norm("bn1.0", x)), 2) + skip;
    return w.conv("conv2.0", relu(w.norm("bn2.0", y))) + y;
  });
}

TEST(ResidualBlock, ABottleneckIsThreeConvolutionsWithTheStrideAtTheSecond) {
  for (const bool fix : {false, true}) {
    ResidualBlock block(kBottleneck, block_options(BlockOrder::cbsa, true, fix));
    expect_equals(block, features(), [fix](const Written& w, const Tensor& x) {
      Tensor y = relu(w.norm("bn1.0", w.conv("conv1.0", x)));
      y = relu(w.norm("bn2.0", w.conv("conv2.0", y, 2)));
      y = w.norm("bn3.0", w.conv("conv3.0", y));
      const Tensor skip = w.norm("skip.2", w.conv("skip.1", pool(x)));
      return fix ? relu(y + skip) : relu(y) + relu(skip);
    });
  }
}

TEST(ResidualBlock, ABottleneckTakesEveryOtherOrderToo) {
  ResidualBlock cabs(kBottleneck, block_options(BlockOrder::cabs, true, true));
  expect_equals(cabs, features(), [](const Written& w, const Tensor& x) {
    Tensor y = w.norm("bn1.0", relu(w.conv("conv1.0", x)));
    y = w.norm("bn2.0", relu(w.conv("conv2.0", y, 2)));
    return w.norm("bn3.0", relu(w.conv("conv3.0", y))) +
           w.norm("skip.2", w.conv("skip.1", pool(x)));
  });
  ResidualBlock bacs(kBottleneck, block_options(BlockOrder::bacs, true, true));
  expect_equals(bacs, features(), [](const Written& w, const Tensor& x) {
    Tensor y = w.conv("conv1.0", relu(w.norm("bn1.0", x)));
    y = w.conv("conv2.0", relu(w.norm("bn2.0", y)), 2);
    y = w.conv("conv3.0", relu(w.norm("bn3.0", y)));
    const Tensor skip = w.conv("skip.3", relu(w.norm("skip.1", pool(x))));
    return w.norm("fix_bn", y) + w.norm("skip.4", skip);
  });
  ResidualBlock bcas(kBottleneck, block_options(BlockOrder::bcas, true, true));
  expect_equals(bcas, features(), [](const Written& w, const Tensor& x) {
    Tensor y = relu(w.conv("conv1.0", w.norm("bn1.0", x)));
    y = relu(w.conv("conv2.0", w.norm("bn2.0", y), 2));
    y = relu(w.conv("conv3.0", w.norm("bn3.0", y)));
    const Tensor skip = relu(w.conv("skip.2", w.norm("skip.1", pool(x))));
    return w.norm("fix_bn", y) + w.norm("skip.4", skip);
  });
}

TEST(ResidualBlock, ABottleneckWithoutOriginIsAnError) {
  EXPECT_THROW(ResidualBlock(kBottleneck, block_options(BlockOrder::cbsa, false, true)),
               core::Error);
}

TEST(ResidualBlock, NamesTensorsInTheOrderOfCheckpoints) {
  config::ModelOptions options = block_options(BlockOrder::bacs, true, true);
  options.activation = config::Activation::prelu;
  EXPECT_THAT(learned_names(ResidualBlock(kBottleneck, options)),
              ElementsAre("relu1.0.weight", "relu2.0.weight", "relu3.0.weight", "bn1.0.weight",
                          "bn3.0.weight", "fix_bn.weight", "bn2.0.weight", "skip.1.weight",
                          "skip.2.weight", "skip.3.weight", "skip.4.weight", "conv1.0.weight",
                          "conv2.0.weight", "conv3.0.weight"));
  options.order = BlockOrder::cbas;
  options.base = 2;
  EXPECT_THAT(learned_names(ResidualBlock(kStrided, options)),
              ElementsAre("relu1.0.weight", "relu1.1.weight", "fix_relu.weight", "bn1.0.weight",
                          "bn1.1.weight", "bn2.0.weight", "bn2.1.weight", "skip.1.weight",
                          "skip.2.weight", "conv1.0.weight", "conv1.1.weight", "conv2.0.weight",
                          "conv2.1.weight", "scales.0", "scales.1"));
}

TEST(ResidualBlock, BranchesWithOriginAreSummedWithScalesAndJoinOneShortcut) {
  config::ModelOptions options = block_options(BlockOrder::cbas, true, true);
  options.base = 2;
  ResidualBlock block(kSame, options);
  EXPECT_EQ(block.named_parameters()["scales.1"].item<double>(), 0.5);
  expect_equals(block, features(), [](const Written& w, const Tensor& x) {
    Tensor sum = torch::zeros_like(x);
    for (const std::string k : {"0", "1"}) {
      const Tensor y = relu(w.norm("bn1." + k, w.conv("conv1." + k, x)));
      sum = sum + w.at("scales." + k) * w.norm("bn2." + k, w.conv("conv2." + k, y));
    }
    return relu(sum + x);
  });
}

TEST(ResidualBlock, BranchesOfOrderBacsGetOneNormBehindTheirSum) {
  config::ModelOptions options = block_options(BlockOrder::bacs, true, true);
  options.base = 2;
  ResidualBlock block(kSame, options);
  expect_equals(block, features(), [](const Written& w, const Tensor& x) {
    Tensor sum = torch::zeros_like(x);
    for (const std::string k : {"0", "1"}) {
      const Tensor y = w.conv("conv1." + k, relu(w.norm("bn1." + k, x)));
      sum = sum + w.at("scales." + k) * w.conv("conv2." + k, relu(w.norm("bn2." + k, y)));
    }
    return w.norm("fix_bn", sum) + x;
  });
}

TEST(ResidualBlock, BranchesWithoutOriginHaveTheShortcutInside) {
  config::ModelOptions options = block_options(BlockOrder::cabs, false, true);
  options.base = 3;
  ResidualBlock block(kStrided, options);
  expect_equals(block, features(), [](const Written& w, const Tensor& x) {
    const Tensor skip = w.norm("skip.2", w.conv("skip.1", pool(x)));
    Tensor sum = torch::zeros_like(skip);
    for (const std::string k : {"0", "1", "2"}) {
      const Tensor y = w.norm("bn1." + k, relu(w.conv("conv1." + k, x, 2))) + skip;
      sum = sum + w.at("scales." + k) * (w.norm("bn2." + k, relu(w.conv("conv2." + k, y))) + y);
    }
    return sum;
  });
}

// A graph whose branches passes::join_branches() does not find: each product has its scale first.
graph::Graph kept_apart(graph::Graph graph) {
  const graph::Uses uses(graph);
  for (graph::Node& node : graph.nodes)
    if (node.inputs.size() == 2 && uses.parameter(node.inputs[1]) &&
        graph.value(node.inputs[1]).name.starts_with("scales."))
      std::swap(node.inputs[0], node.inputs[1]);
  return graph;
}

// A block, and one of the same weights whose branches are computed one by one.
struct JoinedAndApart {
  explicit JoinedAndApart(const config::ModelOptions& options)
      : joined(kStrided, options), apart(options, kept_apart(joined.structure())) {
    for (Network* block : {static_cast<Network*>(&joined), &apart}) {
      block->to(torch::kFloat64);
      for (const NamedTensor& entry : block->state())
        parity::fill_from_name(entry.name, entry.tensor);
    }
  }

  ResidualBlock joined;
  Network apart;
};

// Joined twice: the second pass finds parameters and statistics side by side.
void expect_joined_equals_apart(const config::ModelOptions& options) {
  JoinedAndApart blocks(options);
  for (int pass = 0; pass < 2; ++pass) {
    const Tensor x = features().set_requires_grad(true);
    const Tensor z = x.detach().clone().set_requires_grad(true);
    const Tensor y = blocks.joined.forward(x), expected = blocks.apart.forward(z);
    ASSERT_TRUE(torch::allclose(y, expected, 1e-10, 1e-12));
    const Tensor direction = torch::randn_like(y);
    y.backward(direction);
    expected.backward(direction);
    EXPECT_TRUE(torch::allclose(x.grad(), z.grad(), 1e-9, 1e-11));
  }
  const auto apart = state_of(blocks.apart);
  for (size_t i = 0; const NamedTensor& entry : state_of(blocks.joined)) {
    const Tensor& expected = apart[i++].tensor;
    EXPECT_TRUE(torch::allclose(entry.tensor, expected, 1e-10, 1e-12)) << entry.name;
    ASSERT_EQ(entry.tensor.grad().defined(), expected.grad().defined()) << entry.name;
    if (expected.grad().defined()) {
      // Large terms cancel in the gradient of a convolution ahead of a norm.
      EXPECT_TRUE(torch::allclose(entry.tensor.grad(), expected.grad(), 1e-9, 1e-9)) << entry.name;
    }
  }
}

// Never both: sums of +1 and -1 are often 0, and rounding would decide on which side of a ReLU.
enum class Binary { neither, features, weights };

TEST(ResidualBlock, TrainsBranchesSideBySideAsOneByOne) {
  for (const BlockOrder order :
       {BlockOrder::cbas, BlockOrder::cbsa, BlockOrder::cabs, BlockOrder::bacs, BlockOrder::bcas})
    for (const bool origin : {false, true})
      for (const Binary binary : {Binary::neither, Binary::features, Binary::weights}) {
        SCOPED_TRACE(testing::Message() << "order " << static_cast<int>(order) << ", origin "
                                        << origin << ", binary " << static_cast<int>(binary));
        config::ModelOptions options = block_options(order, origin, true);
        options.base = 3;
        config::QuantOptions& quant = binary == Binary::features ? options.fm : options.wt;
        quant.enable = binary != Binary::neither;
        quant.method = config::Method::xnor;
        quant.bit = 1;
        quant.grad_type = config::GradType::ste;
        expect_joined_equals_apart(options);
      }
}

// What each branch learns for itself, it computes for itself.
TEST(ResidualBlock, BranchesThatLearnTheirClipValuesStayApart) {
  config::ModelOptions options = block_options(BlockOrder::cbsa, true, true);
  options.base = 2;
  options.fm.enable = true;
  options.fm.method = config::Method::lsq;
  options.fm.bit = 2;
  ResidualBlock block(kSame, options);
  const auto parameters = block.named_parameters();
  {
    const torch::NoGradGuard no_grad;
    parameters["conv1.0.quant_activation.clip_val"].fill_(1);
    parameters["conv1.1.quant_activation.clip_val"].fill_(2);
  }
  block.forward(features().to(torch::kFloat32)).sum().backward();
  EXPECT_NE(parameters["conv1.0.quant_activation.clip_val"].grad().item<float>(),
            parameters["conv1.1.quant_activation.clip_val"].grad().item<float>());
}

TEST(ResidualBlock, TakesTheStatisticsOfAShortcutOnceForAllBranches) {
  config::ModelOptions options = block_options(BlockOrder::cbas, false, false);
  options.base = 2;
  ResidualBlock block(kStrided, options);
  const Tensor x = torch::randn({2, 4, 8, 8});
  block.forward(x);
  const Tensor mean =
      torch::conv2d(pool(x), block.named_parameters()["skip.1.weight"]).mean({0, 2, 3});
  EXPECT_TRUE(
      torch::allclose(block.named_buffers()["skip.2.running_mean"], 0.1 * mean, 1e-4, 1e-6));
}

TEST(ResidualBlock, IdentityNormStandsInTheShortcutThatKeepsTheShape) {
  config::ModelOptions options = block_options(BlockOrder::cbsa, true, true);
  options.identity_norm = true;
  ResidualBlock block(kSame, options);
  expect_equals(block, features(), [](const Written& w, const Tensor& x) {
    const Tensor y = relu(w.norm("bn1.0", w.conv("conv1.0", x)));
    return relu(w.norm("bn2.0", w.conv("conv2.0", y)) + w.norm("skip.1", x));
  });
  EXPECT_THAT(learned_names(ResidualBlock(kStrided, options)),
              ElementsAre("bn1.0.weight", "bn2.0.weight", "skip.1.weight", "skip.2.weight",
                          "conv1.0.weight", "conv2.0.weight"));
}

TEST(ResidualBlock, IdentityNormStandsBehindThePoolingWhereOnlyTheResolutionChanges) {
  config::ModelOptions options = block_options(BlockOrder::cbsa, true, true);
  options.identity_norm = true;
  ResidualBlock block({.in = 4, .planes = 4, .stride = 2}, options);
  expect_equals(block, features(), [](const Written& w, const Tensor& x) {
    const Tensor y = relu(w.norm("bn1.0", w.conv("conv1.0", x, 2)));
    return relu(w.norm("bn2.0", w.conv("conv2.0", y)) + w.norm("skip.1", pool(x)));
  });
}

TEST(ResidualBlock, DchrRepeatsTheChannelsOfThePooledInput) {
  config::ModelOptions options = block_options(BlockOrder::bacs, true, true);
  options.dchr = options.singleconv = true;
  ResidualBlock block(kStrided, options);
  expect_equals(block, features(), [](const Written& w, const Tensor& x) {
    Tensor y = w.conv("conv1.0", relu(w.norm("bn1.0", x)), 2);
    y = w.conv("conv2.0", relu(w.norm("bn2.0", y)));
    return w.norm("fix_bn", y) + torch::cat({pool(x), pool(x)}, 1);
  });
}

TEST(ResidualBlock, ASizeThatTheStridesDoNotSuitIsAnError) {
  EXPECT_THROW(ResidualBlock(kStrided, block_options(BlockOrder::cbsa, true, true), /*size=*/7),
               core::Error);
}

TEST(ResidualBlock, ZirStartsTheBranchAtZero) {
  for (const BlockOrder order : {BlockOrder::cbsa, BlockOrder::bcas}) {
    config::ModelOptions options = block_options(order, true, true);
    options.zero_init_residual = true;
    options.activation = config::Activation::none;
    for (const BlockShape& shape :
         {kSame, BlockShape{.in = 4, .planes = 1, .stride = 1, .bottleneck = true}}) {
      ResidualBlock block(shape, options);
      const Tensor x = torch::randn({2, 4, 8, 8});
      EXPECT_TRUE(torch::equal(block.forward(x), x));
    }
  }
}

}  // namespace
}  // namespace lowbit::models
