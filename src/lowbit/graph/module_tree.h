// The order of checkpoints: of each module its parameters, its buffers, then its children in the
// order in which they were registered, depth first.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lowbit/graph/graph.h"

namespace lowbit::graph {

class ModuleTree {
 public:
  ModuleTree() : modules_(1) {}

  // Makes sure that the module with this dotted name ("": the root) exists.
  void add_module(std::string_view name) { find(name); }
  // An entry with the dotted name: a parameter or buffer of the module before the last dot.
  void add_entry(std::string_view name, ValueId id, bool buffer);
  // The module `name` is one entry itself: it has a state of its own.
  void add_stateful(std::string_view name, ValueId id);

  // All entries, in the order of checkpoints.
  std::vector<ValueId> order() const;

  // The first name that is both a module and a parameter, as checkpoints cannot have it; "": none.
  std::string ambiguous_name() const;

 private:
  struct Module {
    std::string name;  // the last part
    size_t parent = 0;
    std::vector<ValueId> parameters, buffers;
    std::vector<std::string> entry_names;  // the last part of each
    std::vector<size_t> children;          // in the order of registration
    std::map<std::string, size_t, std::less<>> by_name;
  };

  size_t find(std::string_view name);
  // Of an entry of the module.
  std::string dotted_name(size_t module, const std::string& entry) const;

  std::vector<Module> modules_;  // the root first
};

}  // namespace lowbit::graph
