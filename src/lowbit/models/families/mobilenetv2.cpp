#include <fmt/format.h>

#include <algorithm>

#include "lowbit/core/error.h"
#include "lowbit/models/families/families.h"
#include "lowbit/models/families/mobilenet_layers.h"
#include "lowbit/models/width.h"

namespace lowbit::models::families {
namespace {

constexpr int64_t kV2StemWidth = 32;
constexpr int64_t kLastWidth = 1280;

// `count` blocks; the stride is the first one's.
struct InvertedStage {
  int64_t expansion, width;
  int count;
  int64_t stride;
};
constexpr InvertedStage kInvertedStages[] = {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2},
                                             {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2},
                                             {6, 320, 1, 1}};

// A 1x1 convolution that widens (none where the expansion is 1), a depth-wise one, a 1x1 one that
// narrows.
std::vector<graph::ConvolutionSpec> inverted_convs(int64_t in, int64_t out, int64_t expansion,
                                                   int64_t stride) {
  const int64_t hidden = in * expansion;
  std::vector<graph::ConvolutionSpec> convs;
  if (expansion != 1) convs.push_back({.out = hidden});
  convs.push_back({.out = hidden, .kernel = 3, .stride = stride, .padding = 1, .groups = hidden});
  convs.push_back({.out = out});
  return convs;
}

}  // namespace

ValueId inverted_residual(Builder& b, ValueId x, int64_t out, int64_t expansion, int64_t stride,
                          const config::ModelOptions& options) {
  config::require_order(options);
  const bool conv_first = options.order == config::BlockOrder::cbas;
  const std::vector<graph::ConvolutionSpec> convs =
      inverted_convs(b.channels(x), out, expansion, stride);
  // Checkpoints list the norm of the depth-wise convolution before the one that precedes it.
  if (convs.size() == 3)
    b.children({"conv1", "conv2", "conv3", "bn2", "bn1", "bn3", "relu1", "relu2", "relu3",
                "skip_bn", "stem_bn"});
  else
    b.children({"conv1", "conv2", "bn1", "bn2", "relu1", "relu2", "skip_bn", "stem_bn"});
  ValueId y = x;
  for (size_t i = 0; i < convs.size(); ++i) {
    const auto conv = [&] { y = b.convolution(fmt::format("conv{}", i + 1), y, convs[i]); };
    if (conv_first) conv();
    y = norm(b, fmt::format("bn{}", i + 1), y, options);
    if (!conv_first || i + 1 < convs.size())
      y = activation(b, fmt::format("relu{}", i + 1), y, options.activation);
    if (!conv_first) conv();
  }
  if (stride != 1 || b.channels(x) != out) return y;
  if (conv_first) return b.add("add", x, y);
  y = norm(b, "stem_bn", y, options);
  return b.add("add", y, norm(b, "skip_bn", x, options));
}

graph::Graph mobilenetv2(const config::ModelOptions& options, const graph::Dims& image) {
  Builder b(options.name);
  ValueId x =
      mobilenet_stem(b, "features.0", b.input(image), scaled_width(kV2StemWidth, options), options);
  int place = 1;
  for (const InvertedStage& stage : kInvertedStages) {
    const bool keeps_size = options.cifar_stem && &stage == &kInvertedStages[1];
    for (int i = 0; i < scaled_count(stage.count, options); ++i) {
      const auto scope = b.scope(fmt::format("features.{}", place++));
      x = inverted_residual(b, x, scaled_width(stage.width, options), stage.expansion,
                            i > 0 || keeps_size ? 1 : stage.stride, options);
    }
  }
  const int64_t last = std::max(kLastWidth, scaled_width(kLastWidth, options));
  x = conv_norm_activation(b, fmt::format("features.{}", place), x, {.out = last}, options);
  return b.finish(mobilenet_classifier(b, x, options));
}

}  // namespace lowbit::models::families
