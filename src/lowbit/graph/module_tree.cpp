#include "lowbit/graph/module_tree.h"

namespace lowbit::graph {

size_t ModuleTree::find(std::string_view name) {
  size_t module = 0;
  for (size_t begin = 0; begin < name.size();) {
    const size_t end = std::min(name.find('.', begin), name.size());
    const std::string_view part = name.substr(begin, end - begin);
    begin = end + 1;
    if (const auto child = modules_[module].by_name.find(part);
        child != modules_[module].by_name.end()) {
      module = child->second;
      continue;
    }
    const size_t child = modules_.size();
    modules_[module].children.push_back(child);
    modules_[module].by_name.emplace(part, child);
    Module& added = modules_.emplace_back();
    added.name = part;
    added.parent = module;
    module = child;
  }
  return module;
}

void ModuleTree::add_entry(std::string_view name, ValueId id, bool buffer) {
  const size_t dot = name.rfind('.');
  const bool at_root = dot == std::string_view::npos;
  Module& module = modules_[find(at_root ? "" : name.substr(0, dot))];
  (buffer ? module.buffers : module.parameters).push_back(id);
  module.entry_names.emplace_back(at_root ? name : name.substr(dot + 1));
}

void ModuleTree::add_stateful(std::string_view name, ValueId id) {
  modules_[find(name)].parameters.push_back(id);
}

std::vector<ValueId> ModuleTree::order() const {
  std::vector<ValueId> order;
  std::vector<size_t> waiting = {0};
  while (!waiting.empty()) {
    const Module& module = modules_[waiting.back()];
    waiting.pop_back();
    order.insert(order.end(), module.parameters.begin(), module.parameters.end());
    order.insert(order.end(), module.buffers.begin(), module.buffers.end());
    waiting.insert(waiting.end(), module.children.rbegin(), module.children.rend());
  }
  return order;
}

std::string ModuleTree::dotted_name(size_t module, const std::string& entry) const {
  std::string name = entry;
  for (; module != 0; module = modules_[module].parent) name = modules_[module].name + "." + name;
  return name;
}

std::string ModuleTree::ambiguous_name() const {
  for (size_t module = 0; module < modules_.size(); ++module)
    for (const std::string& entry : modules_[module].entry_names)
      if (modules_[module].by_name.contains(entry)) return dotted_name(module, entry);
  return "";
}

}  // namespace lowbit::graph
