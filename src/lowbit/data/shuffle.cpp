#include "lowbit/data/shuffle.h"

#include <numeric>
#include <utility>

namespace lowbit::data {

void shuffle(std::span<int64_t> order, uint64_t seed, kernels::Purpose purpose, int64_t epoch,
             int64_t first_item) {
  std::iota(order.begin(), order.end(), 0);
  for (size_t last = order.size(); last-- > 1;) {
    const kernels::Random128 bits =
        kernels::random_bits(seed, purpose, epoch, first_item + static_cast<int64_t>(last));
    const uint32_t chosen =
        kernels::uniform_below(bits.word[0], bits.word[1], static_cast<uint32_t>(last + 1));
    std::swap(order[last], order[chosen]);
  }
}

}  // namespace lowbit::data
