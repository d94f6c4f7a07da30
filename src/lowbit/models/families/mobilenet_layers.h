// Layers that the MobileNets share.
#pragma once

#include <fmt/format.h>

#include "lowbit/models/families/layers.h"

namespace lowbit::models::families {

// NAME.0, NAME.1, NAME.2: a convolution, norm, activation.
inline ValueId conv_norm_activation(Builder& b, const std::string& name, ValueId x,
                                    const graph::ConvolutionSpec& spec,
                                    const config::ModelOptions& options) {
  x = norm(b, name + ".1", b.convolution(name + ".0", x, spec), options);
  return activation(b, name + ".2", x, options.activation);
}

// A 3x3 convolution of the image, with `preBN` bare, else with norm and activation.
inline ValueId mobilenet_stem(Builder& b, const std::string& name, ValueId x, int64_t width,
                              const config::ModelOptions& options) {
  const graph::ConvolutionSpec conv = {.out = width,
                                       .kernel = 3,
                                       .stride = options.cifar_stem ? 1 : 2,
                                       .padding = 1,
                                       .precision = end_precision(options)};
  if (options.pre_norm) return b.convolution(name, x, conv);
  return conv_norm_activation(b, name, x, conv, options);
}

inline ValueId mobilenet_classifier(Builder& b, ValueId x, const config::ModelOptions& options) {
  return last_linear(b, "classifier.0", b.global_average("average", x),
                     {.out = options.num_classes, .precision = end_precision(options)});
}

// x [in, H, W] -> [out, H / stride, W / stride]: a depth-wise 3x3 convolution and a point-wise one,
// each among norm, activation and skip in the order of the row. Without `origin` the skips are, by
// keyword:
//
//   bireal      each convolution's own input, where neither stride nor width changes;
//   + react     elsewhere, too (not with bacs): pooled by the stride around the depth-wise one,
//               repeated along the channels around the point-wise one, which then consists of
//               out / in convolutions of width `in`, concatenated;
//   block_skip  the shortcut of a ResNet block, around both, added at the point-wise one.
ValueId separable_block(Builder& b, ValueId x, int64_t out, int64_t stride,
                        const config::ModelOptions& options);

// x [in, H, W] -> [out, H / stride, W / stride]; added to x where neither stride nor width changes.
//
//   cbas: each convolution, norm, activation; the last one without activation (linear bottleneck).
//   bacs: norm, activation, each convolution; the sum is stem_bn(branch) + skip_bn(x).
ValueId inverted_residual(Builder& b, ValueId x, int64_t out, int64_t expansion, int64_t stride,
                          const config::ModelOptions& options);

}  // namespace lowbit::models::families
