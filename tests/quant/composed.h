// What quantizers are compared with: numbers given by hand, and definitions in plain operations.
#pragma once

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <vector>

namespace lowbit::quant {

inline torch::Tensor leaf(const std::vector<double>& values, torch::IntArrayRef shape) {
  return torch::tensor(values, torch::kFloat64).view(shape).set_requires_grad(true);
}

inline ::testing::AssertionResult close(const torch::Tensor& actual,
                                        const torch::Tensor& expected) {
  if (torch::allclose(actual, expected, 1e-12, 1e-12)) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << "differs by " << (actual - expected).abs().max().item<double>();
}

inline ::testing::AssertionResult is(const torch::Tensor& tensor,
                                     const std::vector<double>& expected) {
  const torch::Tensor flat = tensor.detach().to(torch::kFloat64).flatten();
  if (torch::allclose(flat, torch::tensor(expected, torch::kFloat64), 1e-12, 1e-12))
    return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << flat;
}

// The value of `value` with the gradient of x.
inline torch::Tensor straight_through(const torch::Tensor& x, const torch::Tensor& value) {
  return x + (value - x).detach();
}

}  // namespace lowbit::quant
