// What a network consists of and what it costs, layer by layer.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "lowbit/models/network_size.h"

namespace lowbit::models {

// Multiply-accumulates of one image by bits of weights and activations, fewest first.
using Costs = std::map<std::pair<int64_t, int64_t>, int64_t>;

// A convolution or a linear layer.
struct LayerSummary {
  std::string name;                            // as in checkpoints
  std::string kind;                            // conv, depthwise, grouped, linear
  std::vector<int64_t> input, output, weight;  // features of one image
  int64_t stride;
  int64_t weight_bits, activation_bits;  // 32: not quantized
  int64_t parameters;                    // with those of its quantizers
  int64_t multiply_accumulates;          // of one image
};

struct NetworkSummary {
  std::vector<LayerSummary> layers;  // in the order of computation
  int64_t other_parameters;          // norms, learned activations and scales
  NetworkSize size;

  Costs multiply_accumulates() const;
};

NetworkSummary summarize(const Network& network);

// The layers as a table of aligned columns, then the totals. Lines end with a newline.
std::string format_summary(const NetworkSummary& summary);

// What other tables of layers say in the same words. A kind of LayerSummary, "3x32x32", "W2A2", and
// the costs with their sum and shares, a line each.
const char* conv_kind(int64_t groups, int64_t in, int64_t out);
std::string shape_text(const std::vector<int64_t>& shape);
std::string bits_text(int64_t weight_bits, int64_t activation_bits);
std::string format_costs(const Costs& costs);

}  // namespace lowbit::models
