// Vectors that the compiler makes of what the machine has.
#include "lowbit/runtime/kernels/depthwise_tile.h"
#include "lowbit/runtime/kernels/dot_tile.h"
#include "lowbit/runtime/kernels/isa_tiles.h"

namespace lowbit::runtime {
namespace {

constexpr int kLanes = 8;

struct Integers {
  int32_t at[kLanes];
};

Integers add(Integers a, const Integers& b) {
  for (int i = 0; i < kLanes; ++i) a.at[i] += b.at[i];
  return a;
}

struct Channels {
  using Sums = Integers;
  static constexpr int lanes = kLanes;

  static Sums zero() { return {}; }
  static Sums add_widened(const Sums& wide, const Sums& sum) { return add(wide, sum); }
  static void store(const Sums& sums, int32_t scale, const int32_t* base, int32_t* out,
                    int channels) {
    const int count = channels < lanes ? channels : lanes;
    // Unsigned: what wraps around on the way wraps back.
    for (int i = 0; i < count; ++i)
      out[i] =
          static_cast<int32_t>(static_cast<uint32_t>(scale) * static_cast<uint32_t>(sums.at[i]) +
                               static_cast<uint32_t>(base[i]));
  }
};

struct Pairs : Channels {
  struct Input {
    int16_t first, second;
  };
  struct Factors {
    int16_t first[kLanes], second[kLanes];
  };
  static constexpr bool narrow = false;
  static constexpr int weight_bytes = 2 * kLanes;

  static Input broadcast(const uint8_t* input) {
    Input pair;
    __builtin_memcpy(&pair, input, sizeof pair);
    return pair;
  }
  static Factors load_weights(const uint8_t* from) {
    Factors factors;
    for (int i = 0; i < lanes; ++i) {
      factors.first[i] = static_cast<int8_t>(from[2 * i]);
      factors.second[i] = static_cast<int8_t>(from[2 * i + 1]);
    }
    return factors;
  }
  static Sums multiply_add(Sums sum, Input input, const Factors& factors) {
    for (int i = 0; i < lanes; ++i)
      sum.at[i] += input.first * factors.first[i] + input.second * factors.second[i];
    return sum;
  }
};

struct Depthwise : Channels {
  using Words = Integers;
  using Wide = Integers;

  static Wide wide_zero() { return {}; }
  static Words load_weights(const uint8_t* from) {
    int16_t weights[kLanes];
    __builtin_memcpy(weights, from, sizeof weights);
    Words words;
    for (int i = 0; i < lanes; ++i) words.at[i] = weights[i];
    return words;
  }
  static Words load_bytes(const uint8_t* from) {
    Words words;
    for (int i = 0; i < lanes; ++i) words.at[i] = from[i];
    return words;
  }
  static Words multiply_add(Words sum, const Words& input, const Words& factors) {
    for (int i = 0; i < lanes; ++i) sum.at[i] += input.at[i] * factors.at[i];
    return sum;
  }
};

}  // namespace

const TileSet& dot16_portable() {
  static constexpr TileSet set = {
      "dot16_2x8_portable", 2, 1, kLanes, {{dot_tile<Pairs, 1, 1>, dot_tile<Pairs, 2, 1>}}};
  return set;
}

const TileSet& depthwise_portable() {
  static constexpr TileSet set = {
      "depthwise_2x8_portable",
      2,
      1,
      kLanes,
      {{depthwise_tile<Depthwise, 1, 1>, depthwise_tile<Depthwise, 2, 1>}}};
  return set;
}

}  // namespace lowbit::runtime
