// A pickled torch.nn.Module as the entries of its state_dict().
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lowbit/core/pickle.h"

namespace lowbit::core {

class ModuleReader {
 public:
  explicit ModuleReader(const PickleTree& tree) : tree_(tree) {}

  // Whether the node is an object with the state of a module.
  bool is_module(const PickleNode& node);

  // Parameters and persistent buffers of a module and its children by their dotted names, each with
  // its place in the tree, in the order of Python's state_dict(). An Error (failure) for modules
  // nested too deeply or within themselves. All calls together take time and memory linear in the
  // tree; a module that stands in too many places for that is an Error (failure).
  std::vector<std::pair<std::string, PickleRef>> state_of(const PickleNode& module);

 private:
  using Entries = std::vector<std::pair<std::string, PickleRef>>;

  const PickleNode& entry(const PickleNode& dict, std::string_view name) const;
  void add(const PickleNode& module, const std::string& prefix, int depth, Entries& entries);
  void add_own(const PickleNode& state, const char* kind, const std::string& prefix,
               Entries& entries);
  void spend(size_t work);

  const PickleTree& tree_;
  std::unordered_map<PickleRef, bool> known_;  // by the state of an object
  size_t spent_ = 0;
};

}  // namespace lowbit::core
