// What a policy file does to a network.
#pragma once

#include <vector>

#include "lowbit/models/network.h"

namespace lowbit::models {

struct PolicyEffect {
  bool applied = false;                // there was something to apply
  bool replaced = false;               // quantizers and parameters are others now
  std::vector<torch::Tensor> started;  // parameters whose value training did not give
};

// Applies the sections of the network's policy (Network::options) for an event, of
// PolicyEvent::epoch those of `epoch`, in the order of the file. Layers forced to full precision
// stay so. An Error (usage) names file and line of an index that no layer has, and of what no
// quantizer can be. Waits for the device.
PolicyEffect apply_policy(Network& network, config::PolicyEvent event, int epoch = -1);

// Applies those of every epoch up to `last`, as a run had when it was saved.
void apply_policy_until(Network& network, int last);

}  // namespace lowbit::models
