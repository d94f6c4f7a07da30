#include <fmt/format.h>

#include "lowbit/core/error.h"
#include "lowbit/models/families/families.h"
#include "lowbit/models/families/residual_block.h"
#include "lowbit/models/width.h"

namespace lowbit::models::families {
namespace {

using config::Stem;

constexpr double kBaseWidth = 64;

// Cells of cell x cell pixels become channels of a convolution: https://arxiv.org/abs/2003.13630
ValueId space_to_depth_stem(Builder& b, ValueId x, int64_t cell, int64_t width, int64_t kernel) {
  x = b.node("conv1.cells", graph::SpaceToDepth{cell}, {x});
  return b.convolution(
      "conv1.conv", x,
      {.out = width, .kernel = kernel, .padding = kernel / 2, .precision = Precision::fixed});
}

ValueId stem_conv(Builder& b, ValueId x, int64_t width, const config::ModelOptions& options) {
  const auto conv = [&](int64_t kernel, int64_t stride) {
    return b.convolution("conv1", x,
                         {.out = width,
                          .kernel = kernel,
                          .stride = stride,
                          .padding = kernel / 2,
                          .precision = Precision::fixed});
  };
  if (options.cifar_stem) return conv(3, 1);
  if (options.stem == Stem::space_to_depth)
    return space_to_depth_stem(b, x, 4, width, options.stem_kernel);
  if (options.stem == Stem::space_to_depth_pool)
    return space_to_depth_stem(b, x, 2, width, options.stem_kernel);
  return conv(7, 2);
}

ValueId stem_pool(Builder& b, ValueId x, const config::ModelOptions& options) {
  if (options.cifar_stem || options.stem == Stem::space_to_depth) return x;
  return b.node("maxpool", graph::Pool{.kernel = 3, .stride = 2, .padding = 1}, {x});
}

ValueId stem_norm(Builder& b, ValueId x, const config::ModelOptions& options) {
  const bool patched = options.pre_norm && options.patch_pre_norm_stem;
  if (options.pre_norm && !(patched && options.fix_pooling)) return x;
  x = block_norm(b, "bn1.0", x, options);
  return options.group_net ? x : activation(b, "bn1.1", x, options.activation);
}

ValueId stem(Builder& b, ValueId x, int64_t width, const config::ModelOptions& options) {
  x = stem_conv(b, x, width, options);
  if (options.fixup && options.fixup_bias)
    x = b.add("add_bias1", x, b.parameter("fixup_bias1", {1}, graph::Role::trained, {.value = 0}));
  if (options.fix_pooling) return stem_pool(b, stem_norm(b, x, options), options);
  return stem_norm(b, stem_pool(b, x, options), options);
}

ValueId classifier(Builder& b, ValueId x, const config::ModelOptions& options) {
  if (options.pre_norm) {
    x = block_norm(b, "bn2.0", x, options);
    if (options.patch_pre_norm_stem) x = activation(b, "bn2.1", x, options.activation);
  }
  x = b.global_average("average", x);
  if (options.fixup && options.fixup_bias)
    x = b.add("add_bias2", x, b.parameter("fixup_bias2", {1}, graph::Role::trained, {.value = 0}));
  return last_linear(b, "fc", x,
                     {.out = options.num_classes,
                      .precision = Precision::fixed,
                      .init_factor = options.fixup ? 0.0 : 1.0});
}

// The norms outside the blocks come behind them.
void name_children(Builder& b, size_t stages) {
  std::vector<std::string> names = {"conv1", "maxpool"};
  for (size_t i = 1; i <= stages; ++i) names.push_back(fmt::format("layer{}", i));
  names.insert(names.end(), {"bn1", "bn2", "fc"});
  b.children(names);
}

}  // namespace

graph::Graph resnet(const config::ModelOptions& options, const graph::Dims& image,
                    const std::vector<int>& blocks, bool bottleneck) {
  const auto width = static_cast<int64_t>(kBaseWidth * options.width_alpha);
  if (width < 1) throw core::usage_error("--width_alpha {} leaves no channel", options.width_alpha);
  Builder b(options.name);
  const ValueId images = b.input(image);
  name_children(b, blocks.size());
  ValueId x = stem(b, images, width, options);
  for (size_t i = 0; i < blocks.size(); ++i)
    for (int block = 0; block < blocks[i]; ++block) {
      const auto scope = b.scope(fmt::format("layer{}.{}", i + 1, block));
      const BlockShape shape{.in = b.channels(x),
                             .planes = width << i,
                             .stride = block == 0 && i > 0 ? 2 : 1,
                             .bottleneck = bottleneck};
      x = residual_block(b, x, shape, options, static_cast<int64_t>(blocks.size()));
    }
  return b.finish(classifier(b, x, options));
}

}  // namespace lowbit::models::families
