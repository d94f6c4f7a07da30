// Random orders: that in which an epoch visits the samples, and others.
#pragma once

#include <cstdint>
#include <span>

#include "lowbit/kernels/math/random.h"

namespace lowbit::data {

// A uniformly random permutation of 0..order.size()-1 (below 2^32 entries): Fisher-Yates over
// random_bits(seed, purpose, epoch, first_item + position), hence the same on every machine.
void shuffle(std::span<int64_t> order, uint64_t seed, kernels::Purpose purpose, int64_t epoch,
             int64_t first_item);

// The order of the samples of an epoch.
inline void shuffle(std::span<int64_t> order, uint64_t seed, int64_t epoch) {
  shuffle(order, seed, kernels::Purpose::order, epoch, 0);
}

}  // namespace lowbit::data
