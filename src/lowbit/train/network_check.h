// What can be known of a training run before its first step: that every norm and every normalized
// group of weights has the values it takes statistics of.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lowbit/data/batches.h"
#include "lowbit/models/network.h"
#include "lowbit/train/step.h"

namespace lowbit::train {

// The fewest images that BatchNorm sees together in a training step: in the last batch of an epoch
// of `images` in batches of `batch`, where `processes` share each. together: they share statistics,
// too (--sync_bn).
int64_t fewest_images(int64_t images, int64_t batch, int processes, bool together);

// An Error (usage) naming the first layer that cannot be trained so: BatchNorm with one value per
// channel (torch: "Expected more than 1 value per channel when training"), InstanceNorm of maps of
// one pixel, GroupNorm with one value per group, a deviation of one weight, or images that are too
// small for the network. Runs an image through it, in evaluation and not counted.
void require_statistics(models::Network& network, const data::BatchSource& source, int64_t batch,
                        const StepOptions& options);

// The layers whose activations xnor binarizes though these images give them no value below 0, as
// behind ReLU: all signs are +1, and nothing can be learned from them. In order.
std::vector<std::string> one_sided_layers(models::Network& network, const torch::Tensor& images);

}  // namespace lowbit::train
