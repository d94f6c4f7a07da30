// Where vectors may begin in memory.
#pragma once

#include <cstddef>

namespace lowbit::runtime {

// As many bytes as keep what follows at an address that 64 divides.
constexpr size_t aligned(size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

}  // namespace lowbit::runtime
