// A block of a network against the same written out in plain operations.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "blocks.h"
#include "lowbit/parity/name_fill.h"

namespace lowbit::models {

inline constexpr BlockShape kSame{.in = 4, .planes = 4, .stride = 1};
inline constexpr BlockShape kStrided{.in = 4, .planes = 8, .stride = 2};
inline constexpr BlockShape kBottleneck{.in = 4, .planes = 2, .stride = 2, .bottleneck = true};

// What such blocks are given.
inline torch::Tensor features(int64_t size = 8) {
  return torch::randn({2, 4, size, size}, torch::kFloat64);
}

// Names of the learned tensors, in the order of checkpoints, without what every norm has beside its
// weight.
inline std::vector<std::string> learned_names(const torch::nn::Module& module) {
  std::vector<std::string> names;
  for (const NamedTensor& entry : state_of(module)) {
    const std::string leaf = entry.name.substr(entry.name.rfind('.') + 1);
    const bool of_norm = leaf == "bias" || leaf.starts_with("running_") || leaf.starts_with("num_");
    if (!of_norm) names.push_back(entry.name);
  }
  return names;
}

// The tensors of a block under their names, and operations on them.
class Written {
 public:
  explicit Written(const torch::nn::Module& block) {
    for (const NamedTensor& entry : state_of(block)) {
      tensors_[entry.name] = entry.tensor.detach().clone();
      if (entry.tensor.requires_grad()) tensors_[entry.name].set_requires_grad(true);
    }
  }

  torch::Tensor at(const std::string& name) const { return tensors_.at(name); }
  // Padding keeps the size, as everywhere in these networks.
  torch::Tensor conv(const std::string& name, const torch::Tensor& x, int64_t stride = 1) const {
    const torch::Tensor weight = at(name + ".weight");
    return torch::conv2d(x, weight, {}, stride, weight.size(2) / 2);
  }
  // In evaluation mode.
  torch::Tensor norm(const std::string& name, const torch::Tensor& x) const {
    return torch::batch_norm(x, at(name + ".weight"), at(name + ".bias"),
                             at(name + ".running_mean"), at(name + ".running_var"),
                             /*training=*/false, 0.1, 1e-5, /*cudnn_enabled=*/false);
  }

 private:
  std::map<std::string, torch::Tensor> tensors_;
};

// Fills the block from its names and compares value, gradient of x and of every tensor with those
// of `written`, in float64 and evaluation mode.
inline void expect_equals(
    Network& block, const torch::Tensor& input,
    const std::function<torch::Tensor(const Written&, const torch::Tensor&)>& written) {
  block.to(torch::kFloat64);
  block.eval();
  for (const NamedTensor& entry : state_of(block)) parity::fill_from_name(entry.name, entry.tensor);
  const Written reference(block);
  const torch::Tensor x = input.to(torch::kFloat64).clone().set_requires_grad(true);
  const torch::Tensor z = x.detach().clone().set_requires_grad(true);

  const torch::Tensor actual = block.forward(x), expected = written(reference, z);
  ASSERT_EQ(actual.sizes(), expected.sizes());
  EXPECT_TRUE(torch::allclose(actual, expected, 1e-10, 1e-12));
  const torch::Tensor direction = torch::randn(actual.sizes(), torch::kFloat64);
  actual.backward(direction);
  expected.backward(direction);
  EXPECT_TRUE(torch::allclose(x.grad(), z.grad(), 1e-9, 1e-11));
  for (const NamedTensor& entry : state_of(block)) {
    if (!entry.tensor.requires_grad()) continue;
    const torch::Tensor gradient = reference.at(entry.name).grad();
    ASSERT_EQ(entry.tensor.grad().defined(), gradient.defined()) << entry.name;
    if (!gradient.defined()) continue;
    EXPECT_TRUE(torch::allclose(entry.tensor.grad(), gradient, 1e-9, 1e-11)) << entry.name;
  }
}

}  // namespace lowbit::models
