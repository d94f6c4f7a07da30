// Networks that are a single block.
#pragma once

#include <functional>

#include "lowbit/models/families/mobilenet_layers.h"
#include "lowbit/models/families/residual_block.h"
#include "lowbit/models/network.h"

namespace lowbit::models {

// Of features [in, size, size].
inline graph::Graph block_graph(
    int64_t in, int64_t size,
    const std::function<graph::ValueId(graph::Builder&, graph::ValueId)>& build) {
  graph::Builder b("block");
  const graph::ValueId x = b.input({in, size, size}, "features");
  return b.finish(build(b, x));
}

class ResidualBlock : public Network {
 public:
  ResidualBlock(const BlockShape& shape, const config::ModelOptions& options, int64_t size = 8,
                int64_t stages = 3)
      : Network(options, block_graph(shape.in, size, [&](graph::Builder& b, graph::ValueId x) {
                  return families::residual_block(b, x, shape, options, stages);
                })) {}
};

class SeparableBlock : public Network {
 public:
  SeparableBlock(int64_t in, int64_t out, int64_t stride, const config::ModelOptions& options)
      : Network(options, block_graph(in, 6, [&](graph::Builder& b, graph::ValueId x) {
                  return families::separable_block(b, x, out, stride, options);
                })) {}
};

struct InvertedShape {
  int64_t in, out, expansion, stride;
};

class InvertedResidual : public Network {
 public:
  InvertedResidual(const InvertedShape& shape, const config::ModelOptions& options)
      : Network(options, block_graph(shape.in, 6, [&](graph::Builder& b, graph::ValueId x) {
                  return families::inverted_residual(b, x, shape.out, shape.expansion, shape.stride,
                                                     options);
                })) {}
};

}  // namespace lowbit::models
