#include "lowbit/models/shrink.h"

#include <algorithm>

#include "lowbit/core/error.h"
#include "lowbit/models/block_norm.h"
#include "lowbit/nn/activation.h"
#include "lowbit/nn/quant_conv.h"
#include "lowbit/nn/space_to_depth.h"

namespace lowbit::models {

nn::LayerPtr make_shrink(int64_t in, int64_t out, int64_t stride,
                         const config::ModelOptions& options) {
  const std::string& order = options.shrink_order;
  if (std::count(order.begin(), order.end(), 'c') != 1)
    throw core::usage_error("keyword 'ReShapeResolution' needs one letter c in --order, not '{}'",
                            order);
  const nn::ConvShape shape{.in = in * stride * stride,
                            .out = out,
                            .kernel = options.shrink_full ? 3 : 1,
                            .padding = options.shrink_full ? 1 : 0};
  std::vector<nn::LayerPtr> layers;
  int64_t width = in;
  for (const char letter : order) {
    if (letter == 'c') {
      layers.push_back(std::make_shared<nn::SpaceToDepthConv>(
          stride, std::make_shared<nn::QuantConv2d>(shape, options,
                                                    /*full_precision=*/options.real_skip)));
      width = out;
    } else if (letter == 'b') {
      layers.push_back(make_block_norm(width, options));
    } else {
      layers.push_back(nn::make_activation(options.activation));
    }
  }
  return std::make_shared<nn::Sequence>(layers);
}

}  // namespace lowbit::models
