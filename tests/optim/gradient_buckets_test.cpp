#include "lowbit/optim/gradient_buckets.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>

#include "support/processes.h"

namespace lowbit::optim {
namespace {

using distributed::Group;
using torch::Tensor;

// A chain of layers; the last parameter has no part in the loss.
struct Network {
  Network() {
    torch::manual_seed(5);
    // Together more than a bucket holds.
    for (const int64_t width : {3, 1500, 1200, 4})
      parameters.push_back(torch::randn({width, parameters.empty() ? 6 : parameters.back().size(0)},
                                        torch::kFloat64));
    parameters.push_back(
        torch::randn({2, 3, 2, 2}, torch::kFloat64).contiguous(torch::MemoryFormat::ChannelsLast));
    parameters.push_back(torch::zeros({7}, torch::kFloat64));
    for (Tensor& parameter : parameters) parameter.set_requires_grad(true);
  }
  // With parameters of its own.
  Network(const Network& other) {
    for (const Tensor& parameter : other.parameters)
      parameters.push_back(parameter.detach().clone().set_requires_grad(true));
  }
  Tensor loss(const Tensor& x) const {
    Tensor y = x;
    for (size_t i = 0; i < 4; ++i) y = torch::tanh(y.matmul(parameters[i].t()));
    return y.mean() * parameters[4].square().sum();
  }
  std::vector<Tensor> parameters;
};

TEST(GradientBuckets, SumTheGradientsOfAllProcesses) {
  torch::manual_seed(6);
  const Tensor x = torch::randn({6, 6}, torch::kFloat64);
  const Network whole;
  const std::vector<Tensor> expected = torch::autograd::grad(
      {whole.loss(x)}, whole.parameters, {}, /*retain_graph=*/false, /*create_graph=*/false,
      /*allow_unused=*/true);
  for (const int count : {1, 2, 3})
    testing_support::as_processes(count, [&](Group& group) {
      const Network own(whole);
      GradientBuckets buckets(group, own.parameters);
      const int64_t size = 6 / count;
      // Twice: nothing of the first pass is in the second.
      for (int pass = 0; pass < 2; ++pass) {
        const std::vector<Tensor> sums = buckets.gradients(
            own.loss(x.narrow(0, size * group.rank(), size)) * (static_cast<double>(size) / 6));
        ASSERT_EQ(sums.size(), expected.size());
        for (size_t i = 0; i < sums.size(); ++i) {
          ASSERT_EQ(sums[i].defined(), expected[i].defined()) << i;
          if (!sums[i].defined()) continue;
          EXPECT_TRUE(torch::allclose(sums[i], expected[i], 1e-11, 1e-13)) << i;
        }
      }
    });
}

}  // namespace
}  // namespace lowbit::optim
