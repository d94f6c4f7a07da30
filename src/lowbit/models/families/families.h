// The front end of the graph: each family of networks emits one from its options. Keywords end
// here.
//
// image: [3, H, W], the size for which the graph is made. The graphs have no quantizers.
#pragma once

#include <vector>

#include "lowbit/config/model_options.h"
#include "lowbit/graph/graph.h"

namespace lowbit::models::families {

// Residual blocks (residual_block.h) in stages of so many blocks, which an order keyword describes.
graph::Graph resnet(const config::ModelOptions& options, const graph::Dims& image,
                    const std::vector<int>& blocks, bool bottleneck);

// torchvision's ResNet: https://arxiv.org/abs/1512.03385, with the stride in the 3x3 convolution.
graph::Graph pytorch_resnet(const config::ModelOptions& options, const graph::Dims& image,
                            const std::vector<int>& blocks, bool bottleneck);

// https://arxiv.org/abs/1704.04861
graph::Graph mobilenetv1(const config::ModelOptions& options, const graph::Dims& image);

// https://arxiv.org/abs/1801.04381
graph::Graph mobilenetv2(const config::ModelOptions& options, const graph::Dims& image);

// Six convolutions and a classifier of all pixels, as LQ-Nets has it.
graph::Graph vgg_small(const config::ModelOptions& options, const graph::Dims& image);

// Network in network: https://arxiv.org/abs/1312.4400
graph::Graph nin(const config::ModelOptions& options, const graph::Dims& image);

}  // namespace lowbit::models::families
