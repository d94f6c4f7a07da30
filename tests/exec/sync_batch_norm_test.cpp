// Batch norms of several processes.
#include <gtest/gtest.h>

#include "layers.h"
#include "lowbit/distributed/group_scope.h"
#include "support/processes.h"

namespace lowbit::exec {
namespace {

using distributed::Group;
using torch::Tensor;

constexpr int64_t kBatch = 7, kChannels = 3;

// What one process computes of the whole batch, with the loss sum(y * upstream).
struct Pass {
  explicit Pass(const graph::BatchNorm& kind, const Tensor& batch, const Tensor& upstream) {
    norm = std::make_shared<BatchNormLayer>(kChannels, kind);
    norm->to(torch::kFloat64);
    {
      const torch::NoGradGuard no_grad;
      for (Tensor& parameter : norm->parameters())
        parameter.copy_(torch::linspace(0.5, 2, kChannels, torch::kFloat64));
    }
    x = batch.detach().clone().set_requires_grad(true);
    y = norm->forward(x);
    (y * upstream).sum().backward();
  }
  std::shared_ptr<BatchNormLayer> norm;
  Tensor x, y;
};

void expect_near(const Tensor& a, const Tensor& b, const char* what) {
  EXPECT_TRUE(torch::allclose(a, b, 1e-11, 1e-11)) << what;
}

TEST(SyncBatchNorm, IsThatOfTheWholeBatchWhateverTheParts) {
  torch::manual_seed(1);
  const Tensor batch = torch::randn({kBatch, kChannels, 4, 5}, torch::kFloat64) * 3 + 1;
  const Tensor upstream = torch::randn_like(batch);
  for (const graph::BatchNorm& kind : {graph::BatchNorm{}, graph::BatchNorm{.affine_first = true}})
    for (const int count : {2, 4}) {
      const Pass whole(kind, batch, upstream);
      testing_support::as_processes(count, [&](Group& group) {
        const distributed::GroupScope scope(&group, true);
        const int64_t first = kBatch * group.rank() / count,
                      size = kBatch * (group.rank() + 1) / count - first;
        const Pass part(kind, batch.narrow(0, first, size), upstream.narrow(0, first, size));
        expect_near(part.y, whole.y.narrow(0, first, size), "y");
        expect_near(part.x.grad(), whole.x.grad().narrow(0, first, size), "gradient of x");
        for (const auto& parameter : part.norm->named_parameters()) {
          const Tensor sum = parameter->grad().clone();
          group.sum(sum);
          expect_near(sum, whole.norm->named_parameters()[parameter.key()].grad(),
                      parameter.key().c_str());
        }
        for (const auto& buffer : part.norm->named_buffers())
          expect_near(buffer.value(), whole.norm->named_buffers()[buffer.key()],
                      buffer.key().c_str());
      });
    }
}

TEST(SyncBatchNorm, IsOnlyForTrainingAndWhereItIsAskedFor) {
  testing_support::as_processes(2, [](Group& group) {
    torch::manual_seed(group.rank());
    const Tensor x = torch::randn({4, kChannels, 2, 2}, torch::kFloat64);
    const auto norm = std::make_shared<BatchNormLayer>(kChannels, graph::BatchNorm{});
    norm->to(torch::kFloat64);
    const distributed::GroupScope scope(&group, false);
    const Tensor y = norm->forward(x);
    EXPECT_TRUE(y.mean({0, 2, 3}).abs().max().item<double>() < 1e-12);
    const distributed::GroupScope asked(&group, true);
    EXPECT_FALSE(norm->forward(x).mean({0, 2, 3}).abs().max().item<double>() < 1e-12);
    norm->eval();
    const Tensor before = norm->named_buffers()["norm.running_mean"].clone();
    norm->forward(x);
    EXPECT_TRUE(torch::equal(norm->named_buffers()["norm.running_mean"], before));
  });
}

}  // namespace
}  // namespace lowbit::exec
