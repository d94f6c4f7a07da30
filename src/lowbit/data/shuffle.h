// The order in which an epoch visits the samples.
#pragma once

#include <cstdint>
#include <span>

namespace lowbit::data {

// A uniformly random permutation of 0..order.size()-1 (below 2^32 entries): Fisher-Yates over
// random_bits(seed, Purpose::order, epoch, position), hence the same on every machine.
void shuffle(std::span<int64_t> order, uint64_t seed, int64_t epoch);

}  // namespace lowbit::data
