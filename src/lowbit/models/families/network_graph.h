// From options to the graph of a network.
#pragma once

#include "lowbit/config/model_options.h"
#include "lowbit/graph/graph.h"

namespace lowbit::models {

// [3, options.input_size, options.input_size]
graph::Dims image_of(const config::ModelOptions& options);

// The network options.name without quantizers, for images [3, H, W]. An unknown name, options that
// the family cannot have, or images that are too small for it are an Error (usage).
graph::Graph network_graph(const config::ModelOptions& options, const graph::Dims& image);

// How a family emits a graph without quantizers, as those in families.h do.
using BuildGraph = graph::Graph (*)(const config::ModelOptions&, const graph::Dims& image);

// Adds a network to those of the library: a value of --model, and its graph. Before options are
// parsed.
void add_network(const char* name, BuildGraph build);

}  // namespace lowbit::models
