#include "lowbit/models/families/shortcut.h"

#include <fmt/format.h>

#include <algorithm>

#include "lowbit/core/error.h"

namespace lowbit::models::families {
namespace {

bool takes_part(const ShortcutStep& step, bool fix) {
  using enum ShortcutStep::When;
  return step.when == always || (step.when == with_fix) == fix;
}

Precision skip_precision(const config::ModelOptions& options) {
  return options.real_skip ? Precision::full : Precision::free;
}

// The layers skip.1, skip.2, ... around the 1x1 convolution that changes the width.
ValueId shortcut_conv(Builder& b, ValueId x, int64_t out, int64_t stride, const OrderRow& order,
                      const config::ModelOptions& options) {
  int place = 0;
  for (const ShortcutStep& step : order.shortcut) {
    if (!takes_part(step, options.fix)) continue;
    const std::string name = fmt::format("skip.{}", ++place);
    if (step.op == Op::conv)
      x = b.convolution(name, x,
                        {.out = out, .stride = stride, .precision = skip_precision(options)});
    else if (step.op == Op::norm)
      x = block_norm(b, name, x, options);
    else
      x = activation(b, name, x, options.activation);
  }
  return x;
}

}  // namespace

ValueId shortcut(Builder& b, ValueId x, int64_t out, int64_t stride, const OrderRow& order,
                 const config::ModelOptions& options) {
  const int64_t in = b.channels(x);
  const bool same_width = in == out;
  const bool strided_conv = options.singleconv && !same_width && !options.dchr;
  if (stride > 1 && !strided_conv) x = average_pool(b, "skip.0", x, stride);
  if (same_width) return options.identity_norm ? block_norm(b, "skip.1", x, options) : x;
  if (!options.dchr) return shortcut_conv(b, x, out, strided_conv ? stride : 1, order, options);
  if (out % in != 0)
    throw core::usage_error("keyword 'DCHR': {} channels cannot be repeated to {}", in, out);
  return b.repeat_channels("skip.1", x, out / in);
}

ValueId shrink(Builder& b, ValueId x, int64_t out, int64_t stride,
               const config::ModelOptions& options) {
  const std::string& order = options.shrink_order;
  if (std::count(order.begin(), order.end(), 'c') != 1)
    throw core::usage_error("keyword 'ReShapeResolution' needs one letter c in --order, not '{}'",
                            order);
  for (size_t i = 0; i < order.size(); ++i) {
    const std::string name = fmt::format("shrink.{}", i);
    if (order[i] == 'c') {
      x = b.node(name + ".cells", graph::SpaceToDepth{stride}, {x});
      x = b.convolution(name + ".conv", x,
                        {.out = out,
                         .kernel = options.shrink_full ? 3 : 1,
                         .padding = options.shrink_full ? 1 : 0,
                         .precision = skip_precision(options)});
    } else if (order[i] == 'b') {
      x = block_norm(b, name, x, options);
    } else {
      x = activation(b, name, x, options.activation);
    }
  }
  return x;
}

}  // namespace lowbit::models::families
