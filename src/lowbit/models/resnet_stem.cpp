#include "lowbit/models/resnet_stem.h"

#include "lowbit/nn/conv.h"
#include "lowbit/nn/pool.h"
#include "lowbit/nn/space_to_depth.h"

namespace lowbit::models {
namespace {

using config::Stem;

constexpr int64_t kColors = 3;

nn::LayerPtr space_to_depth_stem(int64_t cell, int64_t width, int64_t kernel) {
  return std::make_shared<nn::SpaceToDepthConv>(
      cell,
      std::make_shared<nn::Conv2d>(nn::ConvShape{
          .in = kColors * cell * cell, .out = width, .kernel = kernel, .padding = kernel / 2}));
}

}  // namespace

nn::LayerPtr make_stem_conv(int64_t width, const config::ModelOptions& options) {
  if (options.cifar_stem)
    return std::make_shared<nn::Conv2d>(
        nn::ConvShape{.in = kColors, .out = width, .kernel = 3, .padding = 1});
  if (options.stem == Stem::space_to_depth)
    return space_to_depth_stem(4, width, options.stem_kernel);
  if (options.stem == Stem::space_to_depth_pool)
    return space_to_depth_stem(2, width, options.stem_kernel);
  return std::make_shared<nn::Conv2d>(
      nn::ConvShape{.in = kColors, .out = width, .kernel = 7, .stride = 2, .padding = 3});
}

nn::LayerPtr make_stem_pool(const config::ModelOptions& options) {
  if (options.cifar_stem || options.stem == Stem::space_to_depth) return nullptr;
  return std::make_shared<nn::StemPool>();
}

}  // namespace lowbit::models
