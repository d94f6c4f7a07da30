// The ResNet of torchvision (https://arxiv.org/abs/1512.03385; version 1.5, whose bottlenecks have
// the stride in the 3x3 convolution), with its names in checkpoints.
#pragma once

#include <memory>
#include <vector>

#include "lowbit/models/network.h"

namespace lowbit::models {

struct PytorchResNetShape {
  std::vector<int> blocks;  // of each of the stages, which have 64, 128, 256, 512 planes
  bool bottleneck = false;
};

std::shared_ptr<Network> make_pytorch_resnet(const config::ModelOptions& options,
                                             const PytorchResNetShape& shape);

}  // namespace lowbit::models
