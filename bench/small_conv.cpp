// The convolutions of ResNet-20 in training, microseconds of each in a CUDA graph, by LibTorch
// (cuDNN, its algorithms tried) and by this project's kernels (nn/small_conv.h), channels-last,
// with the relative error of the worst result against float64.
//
//   small_conv [BATCH [float16|bfloat16]]     (128, float16)
#include "lowbit/nn/small_conv.h"

#include <fmt/format.h>
#include <torch/autograd.h>
#include <torch/cuda.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string_view>

#include "lowbit/config/train_options.h"
#include "lowbit/core/error.h"
#include "lowbit/train/device.h"
#include "lowbit/train/replay.h"

namespace {

namespace nn = lowbit::nn;
using torch::Tensor;
constexpr auto kLast = torch::MemoryFormat::ChannelsLast;

struct Layer {
  const char* name;
  int count;  // in the network
  int64_t side, in, out, kernel, stride;
};

constexpr Layer kLayers[] = {
    {"3 to 16, 32 pixels", 1, 32, 3, 16, 3, 1},
    {"16, 32 pixels", 6, 32, 16, 16, 3, 1},
    {"16 to 32, 32 pixels, stride 2", 1, 32, 16, 32, 3, 2},
    {"32, 16 pixels", 5, 16, 32, 32, 3, 1},
    {"32 to 64, 16 pixels, stride 2", 1, 16, 32, 64, 3, 2},
    {"64, 8 pixels", 5, 8, 64, 64, 3, 1},
    {"1x1, 16 to 32, 32 pixels, stride 2", 1, 32, 16, 32, 1, 2},
    {"1x1, 32 to 64, 16 pixels, stride 2", 1, 16, 32, 64, 1, 2},
};

struct Case {
  Tensor x, weight, grad_y;
  nn::ConvSteps steps;

  Case(const Layer& layer, int64_t batch, torch::ScalarType type)
      : steps{{layer.stride, layer.stride}, {layer.kernel / 2, layer.kernel / 2}, {1, 1}} {
    const auto random = [&](torch::IntArrayRef sizes) {
      return torch::randn(sizes, torch::kCUDA).to(type).contiguous(kLast);
    };
    x = random({batch, layer.in, layer.side, layer.side}).requires_grad_(layer.in != 3);
    weight = random({layer.out, layer.in, layer.kernel, layer.kernel}).requires_grad_();
    const int64_t side = (layer.side - 1) / layer.stride + 1;
    grad_y = random({batch, layer.out, side, side});
  }

  Tensor forward(bool own) const {
    if (!own) return torch::conv2d(x, weight, {}, steps.stride, steps.padding);
    const auto y = nn::small_conv(x, weight, {}, steps);
    if (!y) throw lowbit::core::usage_error("there is no kernel for this batch and device");
    return *y;
  }
  std::vector<Tensor> all(bool own) const {
    const Tensor y = forward(own);
    std::vector<Tensor> inputs{weight};
    if (x.requires_grad()) inputs.push_back(x);
    std::vector<Tensor> results = torch::autograd::grad({y}, inputs, {grad_y});
    results.push_back(y.detach());
    return results;
  }
};

double microseconds(const std::function<void()>& body) {
  constexpr int kBodies = 20, kReplays = 50;
  lowbit::train::Replay replay(
      [&] {
        for (int i = 0; i < kBodies; ++i) body();
      },
      /*capture=*/true, {}, [] {});
  replay.run();
  torch::cuda::synchronize();
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  for (int i = 0; i < kReplays; ++i) replay.run();
  torch::cuda::synchronize();
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count() /
         (kBodies * kReplays);
}

double worst_error(const Case& c) {
  Case wide = c;
  for (Tensor* tensor : {&wide.x, &wide.weight, &wide.grad_y})
    *tensor = tensor->detach().to(torch::kFloat64).requires_grad_(tensor->requires_grad());
  const std::vector<Tensor> expected = wide.all(false), found = c.all(true);
  double worst = 0;
  for (size_t i = 0; i < found.size(); ++i)
    worst = std::max(worst, ((found[i] - expected[i]).norm() / expected[i].norm()).item<double>());
  return worst;
}

void measure(int64_t batch, torch::ScalarType type) {
  fmt::print("{:<36}{:>9}{:>9}{:>11}{:>9}{:>10}\n", "", "forward", "own", "with back", "own",
             "error");
  double theirs = 0, ours = 0;
  for (const Layer& layer : kLayers) {
    const Case c(layer, batch, type);
    double forward[2], all[2];
    for (const bool own : {false, true}) {
      forward[own] = microseconds([&] { c.forward(own); });
      all[own] = microseconds([&] { c.all(own); });
    }
    fmt::print("{:<36}{:9.1f}{:9.1f}{:11.1f}{:9.1f}{:10.1e}\n", layer.name, forward[0], forward[1],
               all[0], all[1], worst_error(c));
    std::fflush(stdout);
    theirs += layer.count * all[0];
    ours += layer.count * all[1];
  }
  fmt::print("{:<56}{:9.0f}{:9.0f}\n", "all of the network", theirs, ours);
}

}  // namespace

int main(int argc, char** argv) {
  if (!torch::cuda::is_available()) {
    fmt::print("skipped: this machine has no GPU for LibTorch\n");
    return 0;
  }
  try {
    const lowbit::train::DeviceScope scope(torch::Device(torch::kCUDA, 0), {});
    const bool bfloat = argc > 2 && std::string_view(argv[2]) == "bfloat16";
    measure(argc > 1 ? std::atoll(argv[1]) : 128, bfloat ? torch::kBFloat16 : torch::kFloat16);
  } catch (const lowbit::core::Error& error) {
    fmt::print(stderr, "small_conv: {}\n", error.what());
    return 1;
  }
  return 0;
}
