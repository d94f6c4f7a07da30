// Which parameters share a weight decay.
#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "lowbit/config/train_options.h"

namespace lowbit::train {

struct ParameterGroup {
  double weight_decay;
  std::vector<std::string> names;
  std::vector<torch::Tensor> parameters;
};

// The weight decay of one parameter: custom_decay where its name contains an entry of
// custom_decay_list; else, unless decay_small, 0 for vectors and for depth-wise weights (4
// dimensions, the second of size 1); else weight_decay.
double weight_decay(const config::TrainOptions& options, const std::string& name,
                    torch::IntArrayRef shape);

// The parameters that are trained, one group per weight decay, in order of first appearance.
std::vector<ParameterGroup> group_parameters(const config::TrainOptions& options,
                                             const torch::nn::Module& network);

}  // namespace lowbit::train
