#include "lowbit/deploy/rounding.h"

#include <ATen/ops/cholesky_inverse.h>
#include <ATen/ops/im2col.h>
#include <ATen/ops/linalg_cholesky.h>

#include <algorithm>

namespace lowbit::deploy {

torch::Tensor patch_moments(const torch::Tensor& x, int kernel, int stride, int padding) {
  // Several for each unknown of the moments.
  constexpr int64_t kPatchesPerNumber = 8, kLeastPatches = 4096;
  const int64_t images = x.size(0), n = x.size(1) * kernel * kernel;
  const int64_t wanted = std::max(kPatchesPerNumber * n, kLeastPatches);
  torch::Tensor moments = torch::zeros({n, n}, torch::kFloat64);
  int64_t count = 0;
  for (int64_t image = 0; image < images; ++image) {
    torch::Tensor patches =
        at::im2col(x.narrow(0, image, 1).to(torch::kFloat32), {kernel, kernel}, {1, 1},
                   {padding, padding}, {stride, stride})[0];  // [n, positions]
    const int64_t step = std::max<int64_t>(1, patches.size(1) * images / wanted);
    // Another start in each image, so that all columns of the image are seen.
    patches = patches.slice(1, image % std::min(step, patches.size(1)), patches.size(1), step);
    moments += torch::mm(patches, patches.t()).to(torch::kFloat64);
    count += patches.size(1);
  }
  return moments / static_cast<double>(count);
}

torch::Tensor round_together(const torch::Tensor& weight, const torch::Tensor& moments,
                             int largest) {
  // Patches that were not seen exist, too: nothing may become free because it was 0 in all of them.
  constexpr double kDamping = 0.01;
  const int64_t n = weight.size(1);
  const double damping = std::max(kDamping * moments.diagonal().mean().item<double>(), 1e-12);
  const torch::Tensor damped = moments + damping * torch::eye(n, torch::kFloat64);
  const torch::Tensor inverse = at::cholesky_inverse(at::linalg_cholesky(damped));
  const torch::Tensor factor = at::linalg_cholesky(inverse, /*upper=*/true);
  torch::Tensor rest = weight.to(torch::kFloat64).clone();
  const torch::Tensor rounded = torch::empty_like(rest);
  for (int64_t j = 0; j < n; ++j) {
    const torch::Tensor now = rest.select(1, j);
    const torch::Tensor nearest = now.round().clamp(-largest, largest);
    rounded.select(1, j).copy_(nearest);
    const torch::Tensor error = (now - nearest) / factor[j][j];
    rest.slice(1, j) -= torch::outer(error, factor[j].slice(0, j));
  }
  return rounded;
}

}  // namespace lowbit::deploy
