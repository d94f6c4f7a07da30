// The tensors of a checkpoint by name, and their way into a network.
#pragma once

#include <torch/nn/module.h>

#include <string>
#include <utility>
#include <vector>

#include "lowbit/train/value.h"

namespace lowbit::train {

using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

// The tensors that a file holds by name, in its order: those of its 'state_dict' or 'model' entry,
// or of the file itself if it is a bare dict; a leading "module." of a name is dropped, entries
// that are no tensors are left out. An Error (failure) if there is none.
NamedTensors state_dict(const Value& file);

// The dict that those stand in, with all its entries under their unchanged names. An Error
// (failure) if the file is no dict.
const Dict& unwrapped(const Value& file);

// Parameters and buffers of a network under their dotted names, in the order of Python's
// state_dict(): of each module its parameters, its buffers, then its children. The tensors are the
// network's own (detached), not copies.
NamedTensors named_tensors(const torch::nn::Module& network);

// As a checkpoint holds them: name -> tensor.
Dict to_dict(const NamedTensors& tensors);

// Which entries of a checkpoint are loaded, by parts of their names.
struct LoadScope {
  std::vector<std::string> only;     // --resume_scope; empty: all
  std::vector<std::string> without;  // --unresume_scope

  bool takes_all() const { return only.empty() && without.empty(); }
  bool takes(const std::string& name) const;
};

// The entries that the scope takes. An Error (usage) names the part that no entry has, or the two
// lists if they leave nothing.
NamedTensors in_scope(NamedTensors tensors, const LoadScope& scope);

// What load_state did not do by the letter, in the order of the network and of the file.
struct LoadReport {
  // Names of the network: the file has no such entry, or of another size (both shapes follow).
  std::vector<std::string> stayed;
  // Names of the file: nothing took the entry.
  std::vector<std::string> unused;
  // Quantizers whose levels or tables in the file are not those of the options, which count, and
  // what the file had: "16 levels, not 4" (load_state of loaded_network.h).
  std::vector<std::pair<std::string, std::string>> overruled;
  // Names of both: as many elements, but in another shape.
  std::vector<std::string> reshaped;
};

// Copies each of `tensors` into the parameter or buffer of `network` of that name, converting its
// type and device. Where only the shape differs it is reshaped. BatchNorm's num_batches_tracked is
// not worth a mention, nor is [] against [1]. An Error (failure) with names of both sides if
// nothing fits.
LoadReport load_state(torch::nn::Module& network, const NamedTensors& tensors);

}  // namespace lowbit::train
