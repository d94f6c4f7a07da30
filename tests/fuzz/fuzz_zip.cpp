// Any bytes as a zip archive; what is an archive is read to its last byte.
#include <cstdint>
#include <numeric>
#include <string_view>

#include "lowbit/core/error.h"
#include "lowbit/core/zip.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    unsigned sum = 0;
    for (const auto& entry : lowbit::core::read_zip({reinterpret_cast<const char*>(data), size}))
      sum = std::accumulate(entry.data.begin(), entry.data.end(), sum);
    volatile unsigned kept = sum;
    static_cast<void>(kept);
  } catch (const lowbit::core::Error&) {
  }
  return 0;
}
