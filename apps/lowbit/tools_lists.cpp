// lowbit tools swap | sort: lists of names in another order.

#include "lowbit/checkpoint/name_lists.h"
#include "lowbit/core/error.h"
#include "output.h"
#include "tool_call.h"
#include "tools.h"

namespace lowbit::app {
namespace {

int write(const std::string& path, const std::vector<std::string>& names) {
  checkpoint::write_names(path, names);
  print("wrote {}: {} names\n", path, names.size());
  return 0;
}

}  // namespace

int swap_list(const Arguments& arguments) {
  const auto call = read_tool_call("swap", "reorder every few lines of --mf", arguments);
  if (!call) return 0;
  const std::string& path = call->require(call->mapping_from, "--mapping_from");
  const checkpoint::SwapOrder order =
      checkpoint::read_swap_order(call->require(call->verbose_list, "--verbose_list"));
  try {
    return write(path + "-swap", checkpoint::swapped(checkpoint::read_names(path), order));
  } catch (core::Error& error) {
    error.at(path);
    throw;
  }
}

int sort_list(const Arguments& arguments) {
  const auto call = read_tool_call("sort", "sort the lines of --mf", arguments);
  if (!call) return 0;
  const std::string& path = call->require(call->mapping_from, "--mapping_from");
  return write(path + "-sort", checkpoint::sorted(checkpoint::read_names(path)));
}

}  // namespace lowbit::app
