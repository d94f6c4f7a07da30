// What quantizers are compared with beside numbers given by hand: definitions in plain operations.
#pragma once

#include "helpers.h"

namespace lowbit::quant {

inline ::testing::AssertionResult close(const torch::Tensor& actual,
                                        const torch::Tensor& expected) {
  if (torch::allclose(actual, expected, 1e-12, 1e-12)) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << "differs by " << (actual - expected).abs().max().item<double>();
}

// The value of `value` with the gradient of x.
inline torch::Tensor straight_through(const torch::Tensor& x, const torch::Tensor& value) {
  return x + (value - x).detach();
}

}  // namespace lowbit::quant
