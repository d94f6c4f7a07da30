// A quantization method in one file, as docs/adding.md shows it: it trains, goes on after a stop,
// is lowered, packed and proved like those of the library.
#include "lowbit/kernels/formula_loops.h"
#include "lowbit/kernels/math/divisor.h"
#include "lowbit/kernels/math/scalar.h"

namespace lowbit::adding {

// x: any real number.  c = |clip_val| > 0, learned, one per group.  L >= 2 levels.  round: half to
// even, its gradient that of the identity.
//
//   half range   m = L - 1               v = clamp(x m / c, 0, m)
//   full range   m = floor((L - 1) / 2)  v = clamp(x m / c, -m, m), at least three levels
//
//   y = round(v) c / m
//   dy/dx = 1 where the clamp leaves x m / c as it is, else 0
//   dy/dc = (round(v) - v) / m inside, round(v) / m outside
template <class T>
struct Clipped {
  static constexpr bool kLearns = true;
  T clip_val;
  kernels::Divisor<T> clip, most;  // c, m
  T least;

  LOWBIT_HOST_DEVICE Clipped(const kernels::FormulaArguments& arguments, std::int64_t group)
      : clip_val(kernels::clip_of<T>(arguments, group)),
        clip(kernels::absolute(clip_val)),
        most(most_of(kernels::levels_of<T>(arguments), arguments.full_range)),
        least(arguments.full_range ? -most.number : T(0)) {}

  LOWBIT_HOST_DEVICE T code(T x) const { return kernels::round_half_even(clamped(x)); }
  LOWBIT_HOST_DEVICE T level(T code) const { return code * clip / most; }
  LOWBIT_HOST_DEVICE kernels::FormulaGradient<T> gradient(T x, T upstream) const {
    const T v = clamped(x);
    const T rounded = kernels::round_half_even(v);
    const bool inside = v == scaled(x);
    return {inside ? upstream : T(0), upstream * ((inside ? rounded - v : rounded) / most)};
  }
  LOWBIT_HOST_DEVICE double clip_gradient(double sum) const {
    return kernels::absolute_gradient(clip_val, sum);
  }

  T lowest() const { return least; }
  T highest() const { return most; }
  T edge(T code) const { return (code - T(0.5)) * clip / most; }
  template <class Real>
  Real scale(const Real& clip_values) const {
    return clip_values.abs() / double{most};
  }

 private:
  static LOWBIT_HOST_DEVICE T most_of(T levels, bool full_range) {
    const int steps = static_cast<int>(levels) - 1;
    return static_cast<T>(full_range ? steps / 2 : steps);
  }
  LOWBIT_HOST_DEVICE T scaled(T x) const { return x * most / clip; }
  LOWBIT_HOST_DEVICE T clamped(T x) const { return kernels::clamp(scaled(x), least, T(most)); }
};

}  // namespace lowbit::adding

LOWBIT_FORMULA_KERNELS(lowbit::adding::Clipped)

// All else is C++ alone: the loops above are compiled as CUDA, too.
#ifndef __CUDACC__

#include <gtest/gtest.h>
#include <torch/cuda.h>

#include "lowbit/quant/factory.h"
#include "lowbit/quant/formula_quantizer.h"
#include "lowbit/run/loaded_network.h"
#include "quant/bisection.h"
#include "support/proved_program.h"
#include "train/trainer_fixture.h"

namespace lowbit::adding {
namespace {

using config::Tag;
using torch::Tensor;

std::shared_ptr<quant::Quantizer> make_clipped(const quant::QuantShape& shape,
                                               const config::QuantOptions& options) {
  return std::make_shared<quant::FormulaQuantizer>(shape, options, quant::formula_method<Clipped>(),
                                                   shape.groups(options.quant_group));
}

const config::Method kClipped = quant::add_method(
    {.name = "clipped",
     .title = "Clipped",
     .tags = {Tag::fm, Tag::wt},
     .needs = {},
     .reads = config::kReadsHalfRange | config::kReadsBoundary | config::kReadsGroups,
     .weight_reads = config::kReadsBoundary | config::kReadsGroups},
    make_clipped);

std::shared_ptr<quant::Quantizer> quantizer_of(Tag tag, int levels) {
  config::QuantOptions options;
  options.enable = true;
  options.method = kClipped;
  options.level = levels;
  options.half_range = tag != Tag::wt;
  options.boundary = 0.75;
  return quant::make_quantizer({tag, {4, 3, 2, 2}, 2, 8}, options);
}

Tensor rounded(const Tensor& v) {
  return v + (v.round() - v).detach();
}

// The definition in operations of LibTorch.
Tensor composed(const Tensor& x, const Tensor& clip, double least, double most) {
  return rounded((x * most / clip).clamp(least, most)) * clip / most;
}

TEST(OneFileQuantizer, HasValueAndGradientOfItsDefinition) {
  torch::manual_seed(1);
  const auto quantizer = quantizer_of(Tag::wt, 7);
  quantizer->to(torch::kFloat64);
  const Tensor values = torch::randn({4, 3, 2, 2}, torch::kFloat64);
  const Tensor upstream = torch::randn_like(values);
  const Tensor x = values.clone().set_requires_grad(true);
  const Tensor y = quantizer->forward(x, torch::kFloat64);
  y.backward(upstream);
  const Tensor z = values.clone().set_requires_grad(true);
  const Tensor clip = torch::full({4, 1, 1, 1}, 0.75, torch::kFloat64).set_requires_grad(true);
  const Tensor expected = composed(z, clip, -3, 3);
  expected.backward(upstream);
  EXPECT_TRUE(torch::allclose(y, expected));
  EXPECT_TRUE(torch::allclose(x.grad(), z.grad()));
  EXPECT_TRUE(torch::allclose(quantizer->named_parameters()["clip_val"].grad(), clip.grad()));
}

TEST(OneFileQuantizer, HasTheSameBitsOnAGpu) {
  if (!torch::cuda::is_available()) GTEST_SKIP() << "no GPU";
  torch::manual_seed(2);
  const Tensor values = torch::randn({2, 3, 33, 5}), upstream = torch::randn_like(values);
  std::vector<Tensor> results[2];
  for (const auto device : {torch::kCPU, torch::kCUDA}) {
    const auto quantizer = quantizer_of(Tag::fm, 4);
    quantizer->to(device);
    const Tensor x = values.to(device).detach().set_requires_grad(true);
    const Tensor y = quantizer->forward(x, torch::kFloat32);
    y.backward(upstream.to(device));
    results[device == torch::kCUDA] = {y.cpu(), x.grad().cpu(),
                                       quantizer->named_parameters()["clip_val"].grad().cpu()};
  }
  EXPECT_TRUE(torch::equal(results[0][0], results[1][0]));
  EXPECT_TRUE(torch::equal(results[0][1], results[1][1]));
  // Of the sum the order differs.
  EXPECT_TRUE(torch::allclose(results[0][2], results[1][2]));
}

TEST(OneFileQuantizer, IsLoweredToTheStepsThatBisectionFinds) {
  const torch::NoGradGuard no_grad;
  for (const int levels : {3, 4, 16}) {
    const auto quantizer = quantizer_of(Tag::fm, levels);
    quantizer->eval();
    const quant::Lowering lowering = quantizer->lower(torch::zeros({1, 3, 2, 2}));
    const quant::StepFunction expected = quant::bisected([&](float x) {
      return quantizer->forward(torch::full({1, 1, 1, 1}, x), torch::kFloat32).item<float>();
    });
    ASSERT_EQ(lowering.groups.size(), 1);
    EXPECT_EQ(lowering.groups[0].thresholds, expected.thresholds);
    EXPECT_EQ(lowering.groups[0].levels, expected.levels);
    ASSERT_EQ(lowering.grid.planes.size(), 1);
    EXPECT_DOUBLE_EQ(lowering.grid.planes[0].scale.item<double>(), 0.75 / (levels - 1));
  }
}

class OneFileQuantizerRun : public train::TrainerTest {
 protected:
  std::vector<std::string> options(std::vector<std::string> more = {}) const {
    std::vector<std::string> all = {"--keyword",     "fashion,cbsa,origin,fix,singleconv,clipped",
                                    "--fm_boundary", "2",
                                    "--wt_bit",      "3"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
};

TEST_F(OneFileQuantizerRun, TrainsAndGoesOnToTheSameBytes) {
  const run::RunResult result = run("whole", options());
  EXPECT_EQ(result.interrupted, 0);
  run("parts", options({"--epochs", "2"}));
  run("parts", options({"-r"}));
  expect_same_bits(saved("whole"), saved("parts"));
  bool moved = false;
  for (const auto& [name, tensor] : saved("whole"))
    if (name.ends_with("quant_activation.clip_val")) moved |= tensor.item<float>() != 2;
  EXPECT_TRUE(moved) << "no clip value has learned anything";
}

TEST_F(OneFileQuantizerRun, IsPackedAndProved) {
  run("x", options({"--epochs", "1"}));
  const torch::NoGradGuard no_grad;
  const run::LoadedNetwork loaded =
      run::load_network(configuration("x", options()).options.model,
                        checkpoint::read_checkpoint(checkpoint("x")), checkpoint("x").string());
  loaded.network->eval();
  const Tensor pixels = testing_support::noise_images(2, loaded.network->options().input_size);
  const deploy::TrainedGraph trained(*loaded.network, testing_support::normalized(pixels));
  constexpr double kBound = 0.02;
  testing_support::proved_program(*loaded.network, trained, pixels, deploy::Ends::float32, kBound);
}

}  // namespace
}  // namespace lowbit::adding

#endif
