// A layer or network beside the same written out in plain tensor operations, in float64.
#pragma once

#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "lowbit/models/network.h"
#include "lowbit/parity/name_fill.h"

namespace lowbit::testing_support {

// The tensors of a module by name, which it makes float64 and fills from their names.
class State {
 public:
  explicit State(torch::nn::Module& module) {
    module.to(torch::kFloat64);
    for (const models::NamedTensor& entry : models::state_of(module)) {
      parity::fill_from_name(entry.name, entry.tensor);
      tensors_[entry.name] = entry.tensor;
    }
  }

  torch::Tensor operator[](const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found != tensors_.end()) return found->second;
    ADD_FAILURE() << "no tensor '" << name << "'";
    return {};
  }

  // The convolution of that name, padded so that it keeps the size but for its stride.
  torch::Tensor conv(const std::string& name, const torch::Tensor& x, int64_t stride = 1,
                     int64_t groups = 1) const {
    const torch::Tensor weight = (*this)[name + ".weight"];
    return torch::conv2d(x, weight, {}, stride, weight.size(2) / 2, /*dilation=*/1, groups);
  }

  // The norm of that name, in training.
  torch::Tensor norm(const std::string& name, const torch::Tensor& x) const {
    return torch::batch_norm(x, (*this)[name + ".weight"], (*this)[name + ".bias"], {}, {},
                             /*training=*/true, 0.1, 1e-5, /*cudnn_enabled=*/false);
  }

 private:
  std::map<std::string, torch::Tensor> tensors_;
};

// Both give the same values, and the same gradients of x and of every parameter.
inline void expect_same(torch::nn::Module& module,
                        const std::function<torch::Tensor(const torch::Tensor&)>& actual,
                        const std::function<torch::Tensor(const torch::Tensor&)>& expected,
                        std::vector<int64_t> shape) {
  torch::manual_seed(1);
  const torch::Tensor x = torch::randn(shape, torch::kFloat64).requires_grad_();
  std::vector<torch::Tensor> inputs = {x};
  for (const torch::Tensor& parameter : module.parameters())
    if (parameter.requires_grad()) inputs.push_back(parameter);
  const torch::Tensor y = actual(x), z = expected(x);
  ASSERT_EQ(y.sizes(), z.sizes());
  EXPECT_TRUE(torch::allclose(y, z, 1e-10, 1e-10));
  const torch::Tensor upstream = torch::randn_like(y);
  const auto gradients = [&](const torch::Tensor& output) {
    return torch::autograd::grad({output}, inputs, {upstream}, /*retain_graph=*/false,
                                 /*create_graph=*/false, /*allow_unused=*/true);
  };
  const auto a = gradients(y), b = gradients(z);
  for (size_t i = 0; i < inputs.size(); ++i) {
    ASSERT_EQ(a[i].defined(), b[i].defined()) << "input " << i;
    if (a[i].defined()) {
      EXPECT_TRUE(torch::allclose(a[i], b[i], 1e-8, 1e-8)) << "input " << i;
    }
  }
}

inline void expect_same(models::Network& network,
                        const std::function<torch::Tensor(const torch::Tensor&)>& expected,
                        std::vector<int64_t> shape) {
  expect_same(
      network, [&](const torch::Tensor& x) { return network.forward(x); }, expected,
      std::move(shape));
}

// "name[2,3]" of every entry, those of statistics and quantizers left out.
inline std::vector<std::string> keys(const torch::nn::Module& module) {
  std::vector<std::string> result;
  for (const models::NamedTensor& entry : models::state_of(module)) {
    const std::string leaf = entry.name.substr(entry.name.rfind('.') + 1);
    if (leaf.starts_with("running_") || leaf == "num_batches_tracked") continue;
    if (entry.name.find(".quant_") != std::string::npos) continue;
    std::string shape;
    for (const int64_t size : entry.tensor.sizes())
      shape += (shape.empty() ? "" : ",") + std::to_string(size);
    result.push_back(entry.name + "[" + shape + "]");
  }
  return result;
}

}  // namespace lowbit::testing_support
