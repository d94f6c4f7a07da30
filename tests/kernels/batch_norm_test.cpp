#include "lowbit/kernels/batch_norm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "lowbit/core/error.h"
#include "lowbit/kernels/lsq.h"
#include "target_test.h"

namespace lowbit::kernels {
namespace {

struct NormProblem {
  BatchNormShape shape;
  Values x = {}, grad_y = {}, skip = {};
  NormActivation activation = NormActivation::none;
  FeatureQuantizerKind quantizer = FeatureQuantizerKind::none;
  double clip = 1.25, levels = 4, eps = 1e-5;

  std::size_t size() const { return shape.rows * shape.channels; }
};

NormProblem random_problem(std::int64_t rows, std::int64_t channels) {
  NormProblem problem{.shape = {rows, channels}};
  problem.x = random_values(problem.size(), -2, 3, 1);
  problem.grad_y = random_values(problem.size(), -1, 1, 2);
  return problem;
}

struct NormResult {
  Values y, mean, invstd, running_mean, running_var;
  Values grad_x, grad_skip, grad_weight, grad_bias, grad_clip;
};

// Of both passes, run twice into the same memory: a workspace must be left as it was found.
class NormRun {
 public:
  NormRun(const Target& target, const NormProblem& p)
      : target_(target),
        weight_(of_channels(p, 0.5, 2, 3)),
        bias_(of_channels(p, -1, 1, 4)),
        x_(target.backend, target.x, p.x),
        grad_y_(target.backend, target.x, p.grad_y),
        skip_(target.backend, target.x, p.skip),
        y_(features(p)),
        grad_x_(features(p)),
        grad_skip_(features(p)),
        mean_(numbers(p)),
        invstd_(numbers(p)),
        running_mean_(numbers(p)),
        running_var_(numbers(p)),
        grad_weight_(numbers(p)),
        grad_bias_(numbers(p)),
        clip_(target.backend, target.compute(), {p.clip}),
        levels_(target.backend, target.compute(), {p.levels}),
        grad_clip_(target.backend, target.compute(), {77}),
        memory_(target.backend, ScalarType::float64, Values(kNormWorkspaceBytes / 8)),
        problem_(p) {
    const FeatureQuantizer quantizer{.kind = p.quantizer,
                                     .arguments = {.clip_val = clip_.data(),
                                                   .level_num = levels_.data(),
                                                   .boundary = p.clip,
                                                   .grad_scale = 0.5}};
    forward = {.x = x_.input(),
               .y = y_->output(),
               .skip = p.skip.empty() ? nullptr : skip_.data(),
               .shape = p.shape,
               .weight = weight_->data(),
               .bias = bias_->data(),
               .running_mean = running_mean_->data(),
               .running_var = running_var_->data(),
               .mean = mean_->data(),
               .invstd = invstd_->data(),
               .momentum = 0.25,
               .eps = p.eps,
               .activation = p.activation,
               .quantizer = quantizer,
               .workspace = memory_.data()};
    backward = {.x = x_.input(),
                .grad_y = grad_y_.input(),
                .grad_x = grad_x_->output(),
                .y = p.skip.empty() ? nullptr : y_->data(),
                .grad_skip = p.skip.empty() ? nullptr : grad_skip_->data(),
                .shape = p.shape,
                .weight = weight_->data(),
                .bias = bias_->data(),
                .mean = mean_->data(),
                .invstd = invstd_->data(),
                .grad_weight = grad_weight_->data(),
                .grad_bias = grad_bias_->data(),
                .activation = p.activation,
                .quantizer = quantizer,
                .grad_clip = grad_clip_.data(),
                .workspace = memory_.data()};
  }

  NormResult once() {
    batch_norm_forward(target_.backend, forward);
    batch_norm_backward(target_.backend, backward);
    return {
        y_->values(),           mean_->values(),    invstd_->values(),    running_mean_->values(),
        running_var_->values(), grad_x_->values(),  grad_skip_->values(), grad_weight_->values(),
        grad_bias_->values(),   grad_clip_.values()};
  }

  Values weight() const { return weight_->values(); }
  Values bias() const { return bias_->values(); }

  BatchNormForward forward;
  BatchNormBackward backward;

 private:
  using ArrayPtr = std::unique_ptr<Array>;
  ArrayPtr of_channels(const NormProblem& p, double low, double high, unsigned seed) const {
    return std::make_unique<Array>(target_.backend, target_.compute(),
                                   random_values(p.shape.channels, low, high, seed));
  }
  ArrayPtr features(const NormProblem& p) const {
    return std::make_unique<Array>(target_.backend, target_.x, Values(p.size(), 77));
  }
  ArrayPtr numbers(const NormProblem& p) const {
    return std::make_unique<Array>(target_.backend, target_.compute(), Values(p.shape.channels, 1));
  }

  Target target_;
  ArrayPtr weight_, bias_;
  Array x_, grad_y_, skip_;
  ArrayPtr y_, grad_x_, grad_skip_, mean_, invstd_, running_mean_, running_var_, grad_weight_,
      grad_bias_;
  Array clip_, levels_, grad_clip_, memory_;
  NormProblem problem_;
};

// The norm alone, as the paper has it, in double.
NormResult by_the_paper(const NormProblem& p, const Values& x, const Values& grad_y,
                        const Values& weight, const Values& bias) {
  const auto channels = static_cast<std::size_t>(p.shape.channels);
  const auto n = static_cast<double>(p.shape.rows);
  NormResult r;
  r.y = r.grad_x = Values(p.size());
  for (std::size_t c = 0; c < channels; ++c) {
    double sum = 0, squares = 0, bias_gradient = 0, dot = 0;
    for (std::size_t i = c; i < p.size(); i += channels) sum += x[i];
    const double mean = sum / n;
    for (std::size_t i = c; i < p.size(); i += channels) squares += std::pow(x[i] - mean, 2);
    const double invstd = 1 / std::sqrt(squares / n + p.eps);
    for (std::size_t i = c; i < p.size(); i += channels) {
      r.y[i] = (x[i] - mean) * invstd * weight[c] + bias[c];
      bias_gradient += grad_y[i];
      dot += grad_y[i] * (x[i] - mean) * invstd;
    }
    for (std::size_t i = c; i < p.size(); i += channels)
      r.grad_x[i] =
          weight[c] * invstd * (grad_y[i] - bias_gradient / n - (x[i] - mean) * invstd * dot / n);
    r.mean.push_back(mean);
    r.invstd.push_back(invstd);
    r.running_mean.push_back(0.75 + 0.25 * mean);
    r.running_var.push_back(0.75 + 0.25 * squares / (n - 1));
    r.grad_weight.push_back(dot);
    r.grad_bias.push_back(bias_gradient);
  }
  return r;
}

void expect_near(const Values& values, const Values& expected, double bound, const char* what) {
  ASSERT_EQ(values.size(), expected.size()) << what;
  double largest = 0, size = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    // NaN fails.
    largest = std::max(largest, std::abs(values[i] - expected[i]) <= 1e300
                                    ? std::abs(values[i] - expected[i])
                                    : kInfinity);
    size = std::max(size, std::abs(expected[i]));
  }
  EXPECT_LE(largest, bound * size) << what;
}

class BatchNormPass : public TargetTest {};

TEST_P(BatchNormPass, IsThePapersNorm) {
  // Widths of less than, exactly and more than a tile; rows of one pass and many.
  for (const auto& [rows, channels] :
       {std::pair{2, 8}, {3, 24}, {1000, 16}, {777, 64}, {5000, 72}, {40000, 8}, {300, 2048}}) {
    const NormProblem p = random_problem(rows, channels);
    NormRun run(target, p);
    const NormResult result = run.once();
    const NormResult expected = by_the_paper(p, rounded(target.x, p.x), rounded(target.x, p.grad_y),
                                             run.weight(), run.bias());
    // A sum of that many terms; the gradient of few rows is a difference of nearly equal numbers.
    const double one = rounding(target.x);
    const double sums = rounding(target.compute()) * 64 + rounding(ScalarType::float64) * rows;
    expect_near(result.y, expected.y, 2 * one + sums, "y");
    expect_near(result.mean, expected.mean, sums, "mean");
    expect_near(result.invstd, expected.invstd, sums, "invstd");
    expect_near(result.running_mean, expected.running_mean, sums, "running_mean");
    expect_near(result.running_var, expected.running_var, sums, "running_var");
    expect_near(result.grad_weight, expected.grad_weight, sums, "grad_weight");
    expect_near(result.grad_bias, expected.grad_bias, sums, "grad_bias");
    expect_near(result.grad_x, expected.grad_x, 2 * one + (rows < 4 ? 1e4 : 8) * sums, "grad_x");
  }
}

// With a mean of 1000 deviations the sums of squares of x would lose the variance.
TEST_P(BatchNormPass, KeepsTheVarianceBesideALargeMean) {
  if (target.x == ScalarType::float16 || target.x == ScalarType::bfloat16)
    GTEST_SKIP() << "the type itself does not keep it";
  NormProblem p = random_problem(4096, 8);
  for (double& value : p.x) value += 2000;
  NormRun run(target, p);
  const NormResult result = run.once();
  const NormResult expected =
      by_the_paper(p, rounded(target.x, p.x), p.grad_y, run.weight(), run.bias());
  expect_near(result.invstd, expected.invstd, 1e-5, "invstd");
}

TEST_P(BatchNormPass, RunsAgainToTheSameBits) {
  NormProblem p = random_problem(20000, 64);
  p.activation = NormActivation::relu;
  p.quantizer = FeatureQuantizerKind::lsq;
  NormRun run(target, p);
  const NormResult first = run.once(), second = run.once();
  EXPECT_EQ(first.y, second.y);
  EXPECT_EQ(first.grad_x, second.grad_x);
  EXPECT_EQ(first.grad_weight, second.grad_weight);
  EXPECT_EQ(first.grad_bias, second.grad_bias);
  EXPECT_EQ(first.grad_clip, second.grad_clip);
}

// What follows the norm, an element at a time, on values that the type holds.
double activated_value(NormActivation activation, double v) {
  if (activation == NormActivation::none) return v;
  return std::min(std::max(v, 0.0), activation == NormActivation::relu6 ? 6.0 : kInfinity);
}

TEST_P(BatchNormPass, FusedActivationHasTheBitsOfTheUnfused) {
  for (const auto activation : {NormActivation::relu, NormActivation::relu6}) {
    NormProblem fused = random_problem(3000, 40);
    for (double& value : fused.x) value *= 5;
    fused.activation = activation;
    NormProblem alone = fused;
    alone.activation = NormActivation::none;
    const Values v = NormRun(target, alone).once().y;
    Values y = v;
    for (std::size_t i = 0; i < v.size(); ++i) {
      y[i] = activated_value(activation, v[i]);
      const bool passes = v[i] > 0 && !(activation == NormActivation::relu6 && v[i] >= 6);
      if (!passes) alone.grad_y[i] = 0;
    }
    const NormResult result = NormRun(target, fused).once();
    const NormResult expected = NormRun(target, alone).once();
    EXPECT_EQ(result.y, y);
    EXPECT_EQ(result.grad_x, expected.grad_x);
    EXPECT_EQ(result.grad_weight, expected.grad_weight);
    EXPECT_EQ(result.grad_bias, expected.grad_bias);
  }
}

TEST_P(BatchNormPass, FusedSkipHasTheBitsOfTheUnfused) {
  NormProblem fused = random_problem(3000, 40);
  fused.skip = random_values(fused.size(), -2, 2, 9);
  fused.activation = NormActivation::relu;
  NormProblem alone = fused;
  alone.skip.clear();
  alone.activation = NormActivation::none;
  Values sum = NormRun(target, alone).once().y;
  const Values skip = rounded(target.x, fused.skip);
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += skip[i];
  // As a sum of the type that is computed in is rounded to it.
  sum = rounded(target.x, rounded(target.compute(), sum));
  Values y = sum;
  for (std::size_t i = 0; i < sum.size(); ++i) {
    y[i] = std::max(sum[i], 0.0);
    if (sum[i] <= 0) alone.grad_y[i] = 0;
  }
  const NormResult result = NormRun(target, fused).once();
  const NormResult expected = NormRun(target, alone).once();
  EXPECT_EQ(result.y, y);
  EXPECT_EQ(result.grad_skip, rounded(target.x, alone.grad_y));
  EXPECT_EQ(result.grad_x, expected.grad_x);
  EXPECT_EQ(result.grad_weight, expected.grad_weight);
}

// LSQ's own operator on what the norm and the activation give.
TEST_P(BatchNormPass, FusedLsqHasTheBitsOfTheUnfused) {
  NormProblem fused = random_problem(3000, 40);
  fused.activation = NormActivation::relu;
  fused.quantizer = FeatureQuantizerKind::lsq;
  NormProblem alone = fused;
  alone.quantizer = FeatureQuantizerKind::none;
  const Values activation = NormRun(target, alone).once().y;

  const Array x(target.backend, target.x, activation),
      grad_y(target.backend, target.x, fused.grad_y), y(target.backend, target.x, activation),
      grad_x(target.backend, target.x, activation),
      clip(target.backend, target.compute(), {fused.clip}),
      levels(target.backend, target.compute(), {fused.levels}),
      grad_clip(target.backend, target.compute(), {0});
  const auto size = static_cast<std::int64_t>(fused.size());
  lsq_forward(target.backend, {.x = x.input(),
                               .y = y.output(),
                               .size = size,
                               .groups = {size, 1},
                               .clip_val = clip.data(),
                               .level_num = levels.data()});
  lsq_backward(target.backend, {.x = x.input(),
                                .grad_y = grad_y.input(),
                                .grad_x = grad_x.output(),
                                .grad_clip = grad_clip.data(),
                                .size = size,
                                .groups = {size, 1},
                                .clip_val = clip.data(),
                                .level_num = levels.data(),
                                .grad_scale = 0.5,
                                .workspace = workspace(target.backend)});
  alone.grad_y = grad_x.values();
  const NormResult result = NormRun(target, fused).once();
  const NormResult expected = NormRun(target, alone).once();
  EXPECT_EQ(result.y, y.values());
  EXPECT_EQ(result.grad_x, expected.grad_x);
  EXPECT_EQ(result.grad_weight, expected.grad_weight);
  EXPECT_NEAR(result.grad_clip[0], grad_clip.values()[0], 2e-5 * std::abs(grad_clip.values()[0]));
}

// The plain loops are compared with the quantizers' own operators in tests/nn.
TEST_P(BatchNormPass, FusedDorefaAndPactAreThoseOfThePlainLoops) {
  for (const auto kind : {FeatureQuantizerKind::dorefa, FeatureQuantizerKind::pact}) {
    NormProblem p = random_problem(2000, 24);
    p.activation = NormActivation::relu;
    p.quantizer = kind;
    p.x = rounded(target.x, p.x);
    p.grad_y = rounded(target.x, p.grad_y);
    const NormResult result = NormRun(target, p).once(), expected = NormRun(plain, p).once();
    // A value next to a threshold may fall on the other side of it.
    std::size_t other = 0;
    for (std::size_t i = 0; i < p.size(); ++i)
      other += std::abs(result.y[i] - expected.y[i]) > 4 * rounding(target.x) * p.clip;
    const bool half = target.x != target.compute();
    EXPECT_LE(other, half ? p.size() / 50 : p.size() / 1000);
    expect_near(result.grad_bias, expected.grad_bias, half ? 0.2 : 1e-3, "grad_bias");
    if (kind == FeatureQuantizerKind::pact)
      expect_near(result.grad_clip, expected.grad_clip, half ? 0.05 : 1e-3, "grad_clip");
  }
}

TEST_P(BatchNormPass, NaNStaysInItsChannel) {
  NormProblem p = random_problem(500, 8);
  p.activation = NormActivation::relu;
  p.x[8 * 100 + 3] = kNaN;
  const NormResult result = NormRun(target, p).once();
  for (std::size_t i = 0; i < p.size(); ++i) {
    EXPECT_EQ(std::isnan(result.y[i]), i % 8 == 3);
    EXPECT_EQ(std::isnan(result.grad_x[i]), i % 8 == 3);
  }
}

std::vector<Target> targets_of_norms() {
  std::vector<Target> targets;
  for (const Target& target : all_targets())
    if (target.x == target.y &&
        !(target.backend == Backend::cuda && target.x == ScalarType::float64))
      targets.push_back(target);
  return targets;
}

INSTANTIATE_TEST_SUITE_P(Targets, BatchNormPass, testing::ValuesIn(targets_of_norms()),
                         [](const auto& test) { return name(test.param); });

TEST(BatchNormArguments, WrongOnesAreNamed) {
  const Target target{Backend::cpu, ScalarType::float32, ScalarType::float32};
  NormProblem problem = random_problem(4, 8);
  problem.skip = problem.x;
  NormRun run(target, problem);
  const auto error_of = [](BatchNormForward args, Backend backend = Backend::cpu) -> std::string {
    try {
      batch_norm_forward(backend, args);
    } catch (const core::Error& error) {
      EXPECT_EQ(error.kind(), core::ErrorKind::usage);
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(error_of(run.forward), "no error");
  BatchNormForward bad = run.forward;
  bad.shape.rows = 1;
  EXPECT_EQ(error_of(bad), "batch_norm_forward: 1 rows of 8 channels");
  bad = run.forward;
  bad.running_var = nullptr;
  EXPECT_EQ(error_of(bad), "batch_norm_forward: running_var is null");
  bad = run.forward;
  bad.quantizer.kind = FeatureQuantizerKind::lsq;
  EXPECT_EQ(error_of(bad), "batch_norm_forward: a skip together with a quantizer");
  bad = run.forward;
  bad.shape.channels = 6;
  EXPECT_EQ(error_of(bad, Backend::cuda),
            "batch_norm_forward: 6 channels of float32 are not a multiple of 4");
}

}  // namespace
}  // namespace lowbit::kernels
