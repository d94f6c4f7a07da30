// Every method over several processes: as if one process had seen the whole batch.
#include "support/processes.h"

#include <gtest/gtest.h>

#include <ostream>

#include "helpers.h"

namespace lowbit::quant {
namespace {

using config::Method;
using config::QuantOptions;
using config::Tag;
using distributed::Group;
using torch::Tensor;

constexpr int64_t kBatch = 7, kChannels = 4;
constexpr int kPasses = 3;

struct ProcessesCase {
  const char* name;
  QuantOptions options;
};

void PrintTo(const ProcessesCase& one, std::ostream* out) {
  *out << one.name;
}

QuantOptions with(QuantOptions from, const std::function<void(QuantOptions&)>& change) {
  change(from);
  return from;
}

std::vector<ProcessesCase> cases() {
  const QuantOptions lsq = options(Method::lsq, 4, true), lq = options(Method::lq, 4, true);
  return {
      {"lsq", lsq},
      {"lsq_ste_scale", with(lsq,
                             [](QuantOptions& o) {
                               o.grad_type = config::GradType::ste_scale;
                               o.boundary = 0.05;
                             })},
      {"lsq_warm_up", with(lsq, [](QuantOptions& o) { o.stable = 2; })},
      {"lsq_loss_qdl", with(lsq,
                            [](QuantOptions& o) {
                              o.loss_enable = true;
                              o.loss_function = config::QuantLoss::qdl;
                              o.loss_alpha = 0.7;
                            })},
      {"lsq_loss_l2", with(lsq,
                           [](QuantOptions& o) {
                             o.loss_enable = true;
                             o.loss_function = config::QuantLoss::l2;
                             o.loss_alpha = 0.7;
                           })},
      {"dorefa", options(Method::dorefa, 4, true)},
      {"pact",
       with(options(Method::dorefa, 4, true), [](QuantOptions& o) { o.method = Method::pact; })},
      {"non_uniform", options(Method::non_uniform, 3, true)},
      {"non_uniform_ste_scale", with(options(Method::non_uniform, 3, true),
                                     [](QuantOptions& o) {
                                       o.grad_type = config::GradType::ste_scale;
                                       o.scale = 20;
                                     })},
      {"closed_form",
       with(options(Method::non_uniform, 4, true), [](QuantOptions& o) { o.closed_form = true; })},
      {"xnor", options(Method::xnor, 2, false)},
      {"lq", lq},
      {"lq_groups", with(lq, [](QuantOptions& o) { o.quant_group = 2; })},
      {"lq_full_range", options(Method::lq, 4, false)},
      {"lq_running_mean", with(lq, [](QuantOptions& o) { o.custom_update = true; })},
      {"lq_var", with(lq, [](QuantOptions& o) { o.adaptive = config::Adaptive::var; })},
  };
}

// Some training passes of a quantizer of features; each moves its parameters a little.
struct Passes {
  Passes(const QuantOptions& from, const std::vector<Tensor>& batches,
         const std::vector<Tensor>& upstreams, double weight, Group* group) {
    quantizer = make({Tag::fm, {1, kChannels, 1, 1}, kBatch, 8}, from);
    for (size_t pass = 0; pass < batches.size(); ++pass) {
      const Tensor x = batches[pass].detach().clone().set_requires_grad(true);
      {
        const torch::NoGradGuard no_grad;
        quantizer->iteration().add_(1);
      }
      const Tensor y = quantizer->forward(x, torch::kFloat64);
      Tensor loss = (y * upstreams[pass]).sum();
      if (quantizer->loss().defined()) loss = loss + quantizer->loss() * weight;
      quantizer->zero_grad();
      loss.backward();
      ys.push_back(y.detach());
      gradients.push_back(x.grad());
      const torch::NoGradGuard no_grad;
      for (Tensor& parameter : quantizer->parameters()) {
        if (!parameter.requires_grad() || !parameter.grad().defined()) continue;
        const Tensor gradient = parameter.grad().clone();
        if (group) group->sum(gradient);
        parameter.sub_(gradient * 1e-3);
      }
    }
  }

  std::shared_ptr<Quantizer> quantizer;
  std::vector<Tensor> ys, gradients;
};

class OverProcesses : public testing::TestWithParam<ProcessesCase> {};

TEST_P(OverProcesses, IsAsOverTheWholeBatch) {
  torch::manual_seed(1);
  std::vector<Tensor> batches, upstreams;
  for (int pass = 0; pass < kPasses; ++pass) {
    batches.push_back(torch::randn({kBatch, kChannels, 3, 3}, torch::kFloat64));
    upstreams.push_back(torch::randn_like(batches.back()));
  }
  const Passes whole(GetParam().options, batches, upstreams, 1, nullptr);
  for (const int count : {2, 3})
    testing_support::as_processes(count, [&](Group& group) {
      const distributed::GroupScope scope(&group, false);
      const int64_t first = kBatch * group.rank() / count,
                    size = kBatch * (group.rank() + 1) / count - first;
      const auto part_of = [&](const std::vector<Tensor>& all) {
        std::vector<Tensor> parts;
        for (const Tensor& tensor : all) parts.push_back(tensor.narrow(0, first, size));
        return parts;
      };
      const Passes part(GetParam().options, part_of(batches), part_of(upstreams),
                        static_cast<double>(size) / kBatch, &group);
      for (int pass = 0; pass < kPasses; ++pass) {
        EXPECT_TRUE(
            torch::allclose(part.ys[pass], whole.ys[pass].narrow(0, first, size), 1e-10, 1e-12))
            << "y of pass " << pass;
        EXPECT_TRUE(torch::allclose(part.gradients[pass],
                                    whole.gradients[pass].narrow(0, first, size), 1e-10, 1e-12))
            << "gradient of pass " << pass;
      }
      for (const auto& parameter : part.quantizer->named_parameters())
        EXPECT_TRUE(torch::allclose(
            parameter->to(torch::kFloat64),
            whole.quantizer->named_parameters()[parameter.key()].to(torch::kFloat64), 1e-10, 1e-12))
            << parameter.key();
    });
}

INSTANTIATE_TEST_SUITE_P(Methods, OverProcesses, testing::ValuesIn(cases()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace lowbit::quant
