// Which parameters share a weight decay and a learning rate.
#pragma once

#include <torch/nn/module.h>

#include <string>
#include <vector>

#include "lowbit/config/train_options.h"

namespace lowbit::optim {

// Where the learning rate of a parameter comes from.
enum class RateSource {
  schedule,         // the schedule, starting at lr
  custom_schedule,  // the same schedule, starting at custom_lr
  constant,         // always custom_lr
};

struct ParameterGroup {
  double weight_decay;
  std::vector<std::string> names;
  std::vector<torch::Tensor> parameters;
  RateSource rate = RateSource::schedule;
};

// The weight decay of one parameter: custom_decay where its name contains an entry of
// custom_decay_list; else, unless decay_small, 0 for vectors and for depth-wise weights (4
// dimensions, the second of size 1); else weight_decay.
double weight_decay(const config::TrainOptions& options, const std::string& name,
                    torch::IntArrayRef shape);

// custom_schedule for the parameters whose name contains an entry of custom_lr_list. The entry
// quant_weight is special: constant for those parameters, and for the weight LAYER.weight beside a
// quantizer LAYER.quant_weight, unless another entry names it.
RateSource rate_source(const config::TrainOptions& options, const std::string& name,
                       const torch::nn::Module& network);

// The parameters that are trained, one group per weight decay and source of the rate, in order of
// first appearance.
std::vector<ParameterGroup> group_parameters(const config::TrainOptions& options,
                                             const torch::nn::Module& network);

}  // namespace lowbit::optim
