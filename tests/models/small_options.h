// Options of networks that are small enough for a test.
#pragma once

#include <map>
#include <string>

#include "lowbit/models/network.h"

namespace lowbit::models {

inline config::ModelOptions small_options(const char* name, config::Family family, int num_classes,
                                          int input_size) {
  config::ModelOptions options;
  options.name = name;
  options.family = family;
  options.num_classes = num_classes;
  options.input_size = input_size;
  return options;
}

// Of MobileNet V1 or V2 for 32 x 32 pixels.
inline config::ModelOptions small_mobilenet(const char* name, config::Family family,
                                            config::BlockOrder order) {
  config::ModelOptions options = small_options(name, family, 5, 32);
  options.order = order;
  options.cifar_stem = true;
  return options;
}

// For 16 x 16 pixels, quantized to 4 levels.
inline config::ModelOptions small_resnet20(config::Method method = config::Method::lsq) {
  config::ModelOptions options = small_options("resnet20", config::Family::resnet, 5, 16);
  options.order = config::BlockOrder::cbsa;
  options.origin = options.fix = options.singleconv = options.cifar_stem = true;
  options.width_alpha = 0.0625;
  for (config::QuantOptions* tag : {&options.fm, &options.wt}) {
    tag->enable = true;
    tag->method = method;
    tag->bit = 2;
  }
  options.fm.half_range = true;
  return options;
}

// The value of every node for these images.
inline std::map<std::string, torch::Tensor> values_of(Network& network,
                                                      const torch::Tensor& images) {
  std::map<std::string, torch::Tensor> values;
  network.probe(images, exec::Arithmetic::floats,
                [&](const graph::Node& node, const torch::Tensor&, const torch::Tensor& y) {
                  values[network.graph().name_of(node)] = y;
                });
  return values;
}

}  // namespace lowbit::models
