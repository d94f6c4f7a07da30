// Any bytes as a pickle, and every module in it as its state.
#include <cstdint>
#include <string_view>

#include "lowbit/core/error.h"
#include "lowbit/core/pickle.h"
#include "lowbit/core/pickled_module.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const lowbit::core::PickleTree tree =
        lowbit::core::read_pickle({reinterpret_cast<const char*>(data), size});
    lowbit::core::ModuleReader modules(tree);
    for (const lowbit::core::PickleNode& node : tree.nodes)
      if (modules.is_module(node)) modules.state_of(node);
  } catch (const lowbit::core::Error&) {
  }
  return 0;
}
