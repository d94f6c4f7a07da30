#include "lowbit/models/shortcut.h"

#include "lowbit/core/error.h"
#include "lowbit/models/block_norm.h"
#include "lowbit/nn/activation.h"
#include "lowbit/nn/pool.h"
#include "lowbit/nn/quant_conv.h"
#include "lowbit/nn/repeat.h"

namespace lowbit::models {
namespace {

bool takes_part(const ShortcutStep& step, bool fix) {
  using enum ShortcutStep::When;
  return step.when == always || (step.when == with_fix) == fix;
}

// The steps around the 1x1 convolution that changes the width.
void append_conv(std::vector<nn::LayerPtr>& layers, const nn::ConvShape& shape,
                 const OrderRow& order, const config::ModelOptions& options) {
  int64_t width = shape.in;
  for (const ShortcutStep& step : order.shortcut) {
    if (!takes_part(step, options.fix)) continue;
    if (step.op == Op::conv) {
      layers.push_back(std::make_shared<nn::QuantConv2d>(shape, options,
                                                         /*full_precision=*/options.real_skip));
      width = shape.out;
    } else if (step.op == Op::norm) {
      layers.push_back(make_block_norm(width, options));
    } else {
      layers.push_back(nn::make_activation(options.activation));
    }
  }
}

}  // namespace

nn::LayerPtr make_shortcut(int64_t in, int64_t out, int64_t stride, const OrderRow& order,
                           const config::ModelOptions& options) {
  const bool same_width = in == out;
  if (same_width && stride == 1 && !options.identity_norm) return nullptr;
  const bool strided_conv = options.singleconv && !same_width && !options.dchr;
  std::vector<nn::LayerPtr> layers;
  if (stride > 1 && !strided_conv)
    layers.push_back(std::make_shared<nn::AveragePool>(stride));
  else
    layers.push_back(std::make_shared<nn::Identity>());
  if (same_width) {
    if (options.identity_norm) layers.push_back(make_block_norm(out, options));
  } else if (options.dchr) {
    if (out % in != 0)
      throw core::usage_error("keyword 'DCHR': {} channels cannot be repeated to {}", in, out);
    layers.push_back(std::make_shared<nn::RepeatChannels>(out / in));
  } else {
    append_conv(layers, {.in = in, .out = out, .kernel = 1, .stride = strided_conv ? stride : 1},
                order, options);
  }
  return std::make_shared<nn::Sequence>(layers);
}

}  // namespace lowbit::models
