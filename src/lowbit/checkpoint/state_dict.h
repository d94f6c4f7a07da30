// The tensors of a checkpoint by name, and their way into a network.
#pragma once

#include <torch/nn/module.h>

#include <string>
#include <utility>
#include <vector>

#include "lowbit/checkpoint/value.h"

namespace lowbit::checkpoint {

using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

// The network's entries of a file, in its order.
struct StateDict {
  NamedTensors tensors;
  // Entries by name that are no tensors that can be read, and what they are: "a sparse tensor".
  std::vector<std::pair<std::string, std::string>> unreadable;
  // Names of the file that were passed over: but for a prefix they are those of another entry.
  std::vector<std::string> shadowed;
};

// The dict of the network's tensors within a file, with all its entries under their unchanged
// names: that of 'state_dict', 'model', 'net', 'model_state_dict' and the like (in them, too), the
// only entry that holds weights by name, or the file itself. An Error (failure) if the file is no
// dict.
const Dict& unwrapped(const Value& file);

// What unwrapped() holds under string keys, without the components "module" and "_orig_mod" of
// names, which DataParallel and torch.compile add. An Error (failure) that shows the entries of the
// file if there is no tensor.
StateDict read_state(const Value& file);
StateDict read_state(const Value& file, const std::string& path);  // its errors name `path`
NamedTensors state_dict(const Value& file);                        // its tensors alone

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
  // Names of both: in a shape that differs by sides of 1.
  std::vector<std::string> reshaped;
  // What was left off the names of the file, with its dot; "" if they are the network's as they
  // are.
  std::string prefix;
  std::vector<std::string> shadowed;  // as in StateDict
};

// Copies each of `tensors` into the parameter or buffer of `network` of that name, converting its
// type and device. Where the shapes differ by sides of 1 it is reshaped; where as many elements lie
// in another shape, or whole numbers stand for a weight, that is an Error (failure). BatchNorm's
// num_batches_tracked is not worth a mention, nor is [] against [1]. An Error (failure) with names
// of both sides if nothing fits.
LoadReport load_state(torch::nn::Module& network, const NamedTensors& tensors);

// The same from a file. Where the names of the network stand behind one prefix ("model.",
// "backbone.", ...) in most of the file's, that is left off. An Error (failure) names an entry of
// the network that the file holds as something unreadable; see also read_state() and in_scope().
LoadReport load_state(torch::nn::Module& network, const Value& file, const LoadScope& scope);

// An Error (failure) that names the first parameter or buffer of the network that holds NaN or an
// infinity, or a running variance below zero. No answer of such a network can be compared.
void require_finite(const torch::nn::Module& network);

}  // namespace lowbit::checkpoint
