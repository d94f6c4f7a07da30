// Weights of few bits that were not trained as such.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace lowbit::deploy {

// The second moments of what a row of weights is multiplied with: float64 [n, n], the mean of v v^T
// over patches v of x. x [B, C, H, W]: the features that a convolution of this kernel, stride and
// padding by zeros sees; n = C * kernel^2, the order of a weight's [C, k, k]. Not all patches of a
// large x are looked at.
torch::Tensor patch_moments(const torch::Tensor& x, int kernel, int stride, int padding);

// Integers in -largest .. largest, float64 [O, n], that take the place of `weight` [O, n], which is
// in units of them. One after the other is rounded to the nearest, and the others, which are still
// free, are moved so that products with patches of these moments change least. Pixels beside each
// other are much alike, hence the errors of the products become a fraction of what rounding each
// weight by itself gives. GPTQ, https://arxiv.org/abs/2210.17323.
torch::Tensor round_together(const torch::Tensor& weight, const torch::Tensor& moments,
                             int largest);

}  // namespace lowbit::deploy
