// Any bytes as a pickle.
#include <cstdint>
#include <string_view>

#include "lowbit/core/error.h"
#include "lowbit/core/pickle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    lowbit::core::read_pickle({reinterpret_cast<const char*>(data), size});
  } catch (const lowbit::core::Error&) {
  }
  return 0;
}
