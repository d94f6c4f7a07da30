// Random numbers without a state: Philox4x32-10, a block cipher with few rounds, turns a key and a
// counter into 128 random bits. A number is a function of (seed, purpose, epoch, index) alone, so
// it is the same on every device and with any number of threads, and none need be drawn before
// another. Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011,
// https://doi.org/10.1145/2063384.2063405; its published test vectors are in the tests.
#pragma once

#include <cstdint>

#include "lowbit/kernels/math/host_device.h"

namespace lowbit::kernels {

struct Random128 {
  uint32_t word[4];
};

// The bijection itself: 128 bits of counter, 64 of key.
LOWBIT_HOST_DEVICE inline Random128 philox4x32_10(Random128 counter, uint64_t key) {
  uint32_t key0 = static_cast<uint32_t>(key), key1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53} * counter.word[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57} * counter.word[2];
    counter = {{static_cast<uint32_t>(product1 >> 32) ^ counter.word[1] ^ key0,
                static_cast<uint32_t>(product1),
                static_cast<uint32_t>(product0 >> 32) ^ counter.word[3] ^ key1,
                static_cast<uint32_t>(product0)}};
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return counter;
}

// What the numbers are for: two purposes never share one.
enum class Purpose : uint32_t {
  augmentation,
  order,
  fake_pixels,
  mixup_share,
  mixup_partner,
  crop,
  jitter,
  lighting
};

// 128 bits for item `index` (of a set, an array, ...) in `epoch` (0..2^32 - 1).
LOWBIT_HOST_DEVICE inline Random128 random_bits(uint64_t seed, Purpose purpose, int64_t epoch,
                                                int64_t index) {
  return philox4x32_10(
      {{static_cast<uint32_t>(index), static_cast<uint32_t>(static_cast<uint64_t>(index) >> 32),
        static_cast<uint32_t>(epoch), static_cast<uint32_t>(purpose)}},
      seed);
}

// floor(r / 2^64 * limit) for the 64-bit number r of the words: uniform in 0..limit-1 but for a
// bias below limit / 2^64.
LOWBIT_HOST_DEVICE inline uint32_t uniform_below(uint32_t high, uint32_t low, uint32_t limit) {
  const uint64_t carry = (uint64_t{low} * limit) >> 32;
  return static_cast<uint32_t>((uint64_t{high} * limit + carry) >> 32);
}

}  // namespace lowbit::kernels
