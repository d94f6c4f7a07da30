#include <fmt/format.h>

#include "lowbit/models/families/families.h"
#include "lowbit/models/families/layers.h"

namespace lowbit::models::families {
namespace {

constexpr int64_t kStemWidth = 64;
constexpr int64_t kExpansion = 4;  // of a bottleneck

// x [in, H, W] -> [out, H / stride, W / stride]: convolutions with norms, an activation between
// them and one behind the sum with the shortcut. The activation is one layer: a learned slope is
// shared.
class TorchvisionBlock {
 public:
  TorchvisionBlock(Builder& b, int64_t planes, int64_t stride, bool bottleneck,
                   const config::ModelOptions& options)
      : b_(b), o_(options), planes_(planes), stride_(stride), bottleneck_(bottleneck) {}

  ValueId build(ValueId x) {
    if (bottleneck_)
      b_.children({"conv1", "bn1", "conv2", "bn2", "conv3", "bn3", "relu", "downsample"});
    else
      b_.children({"conv1", "bn1", "relu", "conv2", "bn2", "downsample"});
    SharedActivation act(b_, "relu", o_.activation);
    ValueId y;
    if (bottleneck_) {
      y = act(unit(1, x, planes_, 1, 1));
      y = act(unit(2, y, planes_, 3, stride_));
      y = unit(3, y, kExpansion * planes_, 1, 1);
    } else {
      y = act(unit(1, x, planes_, 3, stride_));
      y = unit(2, y, planes_, 3, 1);
    }
    return act(b_.add("add", y, downsample(x, b_.channels(y))));
  }

 private:
  // A convolution and its norm.
  ValueId unit(int number, ValueId x, int64_t out, int64_t kernel, int64_t stride) {
    x = b_.convolution(fmt::format("conv{}", number), x,
                       {.out = out, .kernel = kernel, .stride = stride, .padding = kernel / 2});
    return norm(b_, fmt::format("bn{}", number), x, o_);
  }

  ValueId downsample(ValueId x, int64_t out) {
    if (stride_ == 1 && b_.channels(x) == out) return x;
    x = b_.convolution("downsample.0", x,
                       {.out = out,
                        .stride = stride_,
                        .precision = o_.real_skip ? Precision::full : Precision::free});
    return norm(b_, "downsample.1", x, o_);
  }

  Builder& b_;
  const config::ModelOptions& o_;
  const int64_t planes_, stride_;
  const bool bottleneck_;
};

}  // namespace

graph::Graph pytorch_resnet(const config::ModelOptions& options, const graph::Dims& image,
                            const std::vector<int>& blocks, bool bottleneck) {
  Builder b(options.name);
  ValueId x = b.convolution("conv1", b.input(image),
                            {.out = kStemWidth,
                             .kernel = 7,
                             .stride = 2,
                             .padding = 3,
                             .precision = end_precision(options)});
  x = activation(b, "relu", norm(b, "bn1", x, options), options.activation);
  x = b.node("maxpool",
             graph::Pool{.kernel = 3,
                         .stride = 2,
                         .padding = options.caffe_pooling ? 0 : 1,
                         .ceil = options.caffe_pooling},
             {x});
  for (size_t i = 0; i < blocks.size(); ++i)
    for (int block = 0; block < blocks[i]; ++block) {
      const auto scope = b.scope(fmt::format("layer{}.{}", i + 1, block));
      const int64_t stride = block == 0 && i > 0 ? 2 : 1;
      x = TorchvisionBlock(b, kStemWidth << i, stride, bottleneck, options).build(x);
    }
  x = b.global_average("average", x);
  return b.finish(
      last_linear(b, "fc", x, {.out = options.num_classes, .precision = end_precision(options)}));
}

}  // namespace lowbit::models::families
