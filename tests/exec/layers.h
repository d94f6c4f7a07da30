// Networks of a single layer.
#pragma once

#include "lowbit/graph/builder.h"
#include "lowbit/models/network.h"

namespace lowbit::exec {

// build(builder, features) -> the layer's output
template <class Build>
graph::Graph layer_graph(const graph::Dims& input, const Build& build) {
  graph::Builder b("layer");
  const graph::ValueId x = b.input(input, "features");
  return b.finish(build(b, x));
}

// Node "conv", of maps of so many channels.
class ConvolutionLayer : public models::Network {
 public:
  ConvolutionLayer(int64_t in, const graph::ConvolutionSpec& spec,
                   const config::ModelOptions& options = {}, int64_t size = 16)
      : Network(options, layer_graph({in, size, size}, [&](graph::Builder& b, graph::ValueId x) {
                  return b.convolution("conv", x, spec);
                })) {}
};

// Node "fc", behind a Widen.
class LinearLayer : public models::Network {
 public:
  LinearLayer(int64_t in, int64_t out, const config::ModelOptions& options = {})
      : Network(options, layer_graph({in}, [&](graph::Builder& b, graph::ValueId x) {
                  return b.linear("fc", b.node("widen", graph::Widen{}, {x}), {.out = out});
                })) {}
};

// Node "norm", of maps of 3 x 3 pixels unless another size is run.
class BatchNormLayer : public GraphModule {
 public:
  BatchNormLayer(int64_t channels, const graph::BatchNorm& norm,
                 graph::Role role = graph::Role::trained)
      : GraphModule(layer_graph({channels, 3, 3}, [&](graph::Builder& b, graph::ValueId x) {
          return b.batch_norm("norm", x, norm, {.role = role});
        })) {}
};

}  // namespace lowbit::exec
