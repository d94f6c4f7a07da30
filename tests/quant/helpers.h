// Quantizers in float64 for tests with hand-computed numbers.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "lowbit/quant/factory.h"

namespace lowbit::quant {

inline config::QuantOptions options(config::Method method, int levels, bool half_range) {
  config::QuantOptions result;
  result.enable = true;
  result.method = method;
  result.level = levels;
  result.half_range = half_range;
  return result;
}

// In float64, with its parameters as given.
inline std::shared_ptr<Quantizer> make(const QuantShape& shape, const config::QuantOptions& from) {
  auto quantizer = make_quantizer(shape, from);
  quantizer->to(torch::kFloat64);
  return quantizer;
}

inline torch::Tensor parameter(Quantizer& quantizer, const char* name) {
  return *quantizer.named_parameters().find(name);
}

inline void set(Quantizer& quantizer, const char* name, const std::vector<double>& values) {
  const torch::NoGradGuard no_grad;
  torch::Tensor tensor = parameter(quantizer, name);
  tensor.copy_(torch::tensor(values, torch::kFloat64).view(tensor.sizes()));
}

inline torch::Tensor leaf(const std::vector<double>& values, torch::IntArrayRef shape) {
  return torch::tensor(values, torch::kFloat64).view(shape).set_requires_grad(true);
}

// Whether the tensor has these numbers, in this order and up to the tolerance.
inline ::testing::AssertionResult is(const torch::Tensor& tensor,
                                     const std::vector<double>& expected,
                                     double tolerance = 1e-12) {
  const torch::Tensor flat = tensor.detach().to(torch::kFloat64).flatten();
  if (flat.numel() == static_cast<int64_t>(expected.size()) &&
      torch::allclose(flat, torch::tensor(expected, torch::kFloat64), tolerance, tolerance))
    return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << flat;
}

}  // namespace lowbit::quant
