#include "lowbit/data/shuffle.h"

#include <numeric>
#include <utility>

#include "lowbit/kernels/math/random.h"

namespace lowbit::data {

void shuffle(std::span<int64_t> order, uint64_t seed, int64_t epoch) {
  std::iota(order.begin(), order.end(), 0);
  for (size_t last = order.size(); last-- > 1;) {
    const kernels::Random128 bits =
        kernels::random_bits(seed, kernels::Purpose::order, epoch, static_cast<int64_t>(last));
    const uint32_t chosen =
        kernels::uniform_below(bits.word[0], bits.word[1], static_cast<uint32_t>(last + 1));
    std::swap(order[last], order[chosen]);
  }
}

}  // namespace lowbit::data
