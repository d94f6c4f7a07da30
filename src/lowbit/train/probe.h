// Keyword probe: what a training step computes, as a file for Python.
#pragma once

#include "lowbit/checkpoint/value.h"
#include "lowbit/config/train_options.h"
#include "lowbit/models/network.h"

namespace lowbit::train {

class Probe {
 public:
  // An Error (usage) for an index of --probe_index that no layer of the network has.
  Probe(const config::TrainOptions& options, models::Network& network);

  // Whether tensors are to be dumped before this iteration of the run, counted from 0.
  bool wants(int64_t iteration) const;

  // What a training step on these images computes, by name, on the CPU. Of each layer that
  // --probe_index names: PATH.input, PATH.quant_activation, PATH.quant_weight, PATH.quant_output
  // (quantized values; those that there are), PATH.output and, where --probe_list asks for them,
  // the entries of its state dict; without --probe_index also those of every other module. The
  // network is left as it was. An Error (usage) names a part of --probe_list that nothing matches.
  checkpoint::Dict look(const torch::Tensor& images) const;

 private:
  bool lists(const std::string& name) const;
  bool has_layer(const std::string& name) const;

  const config::TrainOptions& options_;
  models::Network& network_;
  std::vector<std::string> layers_;
};

}  // namespace lowbit::train
