// From options to the graph of a network.
#pragma once

#include <string>
#include <vector>

#include "lowbit/config/model_options.h"
#include "lowbit/graph/graph.h"
#include "lowbit/models/network.h"
#include "lowbit/passes/insert_quantizers.h"

namespace lowbit::models {

// [3, options.input_size, options.input_size]
graph::Dims image_of(const config::ModelOptions& options);

// The network options.name without quantizers, for images [3, H, W]. An unknown name, options that
// the family cannot have, or images that are too small for it are an Error (usage).
graph::Graph network_graph(const config::ModelOptions& options, const graph::Dims& image);

// How the options and their policy for `on init` quantize each of quantizable_layers(graph).
std::vector<passes::LayerQuantization> initial_quantization(const graph::Graph& graph,
                                                            const config::ModelOptions& options);

// network_graph with quantizers: one entry for each of its layers that can be quantized.
graph::Graph quantized_graph(const config::ModelOptions& options, const graph::Dims& image,
                             const std::vector<passes::LayerQuantization>& layers);

// The same at the start of training.
graph::Graph quantized_graph(const config::ModelOptions& options);

// The graph of a network, with the quantizers that it has now.
graph::Graph graph_of(const Network& network);

// All values of options.name.
std::vector<std::string> graph_names();

}  // namespace lowbit::models
