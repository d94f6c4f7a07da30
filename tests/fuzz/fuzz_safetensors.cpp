// Any bytes as a safetensors file; the data of every tensor are read to their last byte.
#include <cstdint>
#include <numeric>
#include <string_view>

#include "lowbit/core/error.h"
#include "lowbit/core/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (!lowbit::core::is_safetensors(bytes)) return 0;
  try {
    unsigned sum = 0;
    for (const auto& tensor : lowbit::core::read_safetensors(bytes))
      sum = std::accumulate(tensor.data.begin(), tensor.data.end(), sum);
    volatile unsigned kept = sum;
    static_cast<void>(kept);
  } catch (const lowbit::core::Error&) {
  }
  return 0;
}
