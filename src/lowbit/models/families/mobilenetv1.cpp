#include <fmt/format.h>

#include "lowbit/core/error.h"
#include "lowbit/models/families/families.h"
#include "lowbit/models/families/mobilenet_layers.h"
#include "lowbit/models/families/shortcut.h"
#include "lowbit/models/width.h"

namespace lowbit::models::families {
namespace {

constexpr int64_t kV1StemWidth = 32;

struct SeparableRow {
  int64_t width;
  int64_t stride = 1;
};
constexpr SeparableRow kSeparableBlocks[] = {{64},     {128, 2},  {128}, {256, 2}, {256},
                                             {512, 2}, {512},     {512}, {512},    {512},
                                             {512},    {1024, 2}, {1024}};

class SeparableBuilder {
 public:
  SeparableBuilder(Builder& b, int64_t in, int64_t out, int64_t stride,
                   const config::ModelOptions& options)
      : b_(b),
        o_(options),
        order_(order_row(options)),
        in_(in),
        out_(out),
        stride_(stride),
        bireal_(options.bireal_skip && !options.origin),
        react_(bireal_ && options.react && options.order != config::BlockOrder::bacs) {
    if (react_ && out % in != 0)
      throw core::usage_error("keyword 'react': {} channels cannot be repeated to {}", in, out)
          .detail("--width_alpha sets them.");
  }

  ValueId build(ValueId x) {
    b_.children({"relu1", "relu2", "bn1", "bn2", "skip", "depth_conv", "point_conv"});
    const ValueId y = unit(1, x, depth_skip(x));
    if (o_.block_skip && !o_.origin) return unit(2, y, shortcut(b_, x, out_, stride_, order_, o_));
    return unit(2, y, point_skip(y));
  }

 private:
  using MaybeValue = std::optional<ValueId>;

  MaybeValue depth_skip(ValueId x) {
    if (bireal_ && stride_ == 1) return x;
    if (react_) return average_pool(b_, "depth_skip", x, stride_);
    return std::nullopt;
  }

  MaybeValue point_skip(ValueId x) {
    if (bireal_ && in_ == out_) return x;
    if (react_) return b_.repeat_channels("point_skip", x, out_ / in_);
    return std::nullopt;
  }

  ValueId depth_conv(ValueId x) {
    return b_.convolution("depth_conv.0", x,
                          {.out = in_,
                           .kernel = 3,
                           .stride = stride_,
                           .padding = 1,
                           .groups = o_.normal3x3 ? 1 : in_,
                           .precision = o_.real_depthwise ? Precision::full : Precision::free});
  }

  ValueId point_conv(ValueId x) {
    const int64_t count = react_ ? out_ / in_ : 1;
    std::vector<ValueId> parts;
    for (int64_t i = 0; i < count; ++i)
      parts.push_back(
          b_.convolution(fmt::format("point_conv.{}", i), x,
                         {.out = out_ / count,
                          .precision = o_.real_pointwise ? Precision::full : Precision::free}));
    return count == 1 ? parts.front() : b_.concat("point_concat", parts);
  }

  // The convolution with what stands around it; without a skip where there is none to add.
  ValueId unit(int number, ValueId x, MaybeValue skip) {
    for (const Op op : order_.unit) {
      if (op == Op::conv)
        x = number == 1 ? depth_conv(x) : point_conv(x);
      else if (op == Op::norm)
        x = norm(b_, fmt::format("bn{}.0", number), x, o_);
      else if (op == Op::activation)
        x = activation(b_, fmt::format("relu{}.0", number), x, o_.activation);
      else if (skip)
        x = b_.add(fmt::format("add{}", number), x, *skip);
    }
    return x;
  }

  Builder& b_;
  const config::ModelOptions& o_;
  const OrderRow& order_;
  const int64_t in_, out_, stride_;
  const bool bireal_, react_;
};

}  // namespace

ValueId separable_block(Builder& b, ValueId x, int64_t out, int64_t stride,
                        const config::ModelOptions& options) {
  return SeparableBuilder(b, b.channels(x), out, stride, options).build(x);
}

graph::Graph mobilenetv1(const config::ModelOptions& options, const graph::Dims& image) {
  Builder b(options.name);
  ValueId x =
      mobilenet_stem(b, "root", b.input(image), scaled_width(kV1StemWidth, options), options);
  int place = 0;
  for (const SeparableRow& row : kSeparableBlocks) {
    const auto scope = b.scope(fmt::format("model.{}", place++));
    x = separable_block(b, x, scaled_width(row.width, options), row.stride, options);
  }
  if (options.pre_norm)
    x = activation(b, "bn2.1", norm(b, "bn2.0", x, options), options.activation);
  return b.finish(mobilenet_classifier(b, x, options));
}

}  // namespace lowbit::models::families
