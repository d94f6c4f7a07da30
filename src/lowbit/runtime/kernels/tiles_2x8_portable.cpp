// Vectors that the compiler makes of what the machine has.
#include "lowbit/runtime/kernels/code_bits.h"
#include "lowbit/runtime/kernels/depthwise_tile.h"
#include "lowbit/runtime/kernels/dot_tile.h"
#include "lowbit/runtime/kernels/portable.h"
#include "lowbit/runtime/kernels/tile_sizes.h"

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
  using Wide = Integers;
  static constexpr int lanes = kLanes;

  static Sums zero() { return {}; }
  static Wide wide_zero() { return {}; }
  static Sums add_widened(const Sums& wide, const Sums& sum) { return add(wide, sum); }
  static void store(const Sums& sums, int32_t scale, const int32_t* base, int32_t* out) {
    // Unsigned: what wraps around on the way wraps back.
    for (int i = 0; i < lanes; ++i)
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
  static Sums add_widened(const Wide&, const Sums& sum) { return sum; }
};

// Bits are counted within each byte of a channel's 32, and added there.
struct Bits : Channels {
  using Input = uint32_t;
  using Factors = Integers;
  static constexpr bool narrow = true;
  static constexpr int weight_bytes = 4 * kLanes;

  static Input broadcast(const uint8_t* input) {
    uint32_t bits;
    __builtin_memcpy(&bits, input, sizeof bits);
    return bits;
  }
  static Factors load_weights(const uint8_t* from) {
    Factors factors;
    __builtin_memcpy(&factors, from, sizeof factors);
    return factors;
  }
  static Sums multiply_add(const Sums& sum, Input input, const Factors& factors) {
    Sums more;
    for (int i = 0; i < lanes; ++i) {
      uint32_t bits = input ^ static_cast<uint32_t>(factors.at[i]);
      bits -= bits >> 1 & 0x55555555;
      bits = (bits & 0x33333333) + (bits >> 2 & 0x33333333);
      bits = (bits + (bits >> 4)) & 0x0f0f0f0f;
      more.at[i] = static_cast<int32_t>(static_cast<uint32_t>(sum.at[i]) + bits);
    }
    return more;
  }
  static Wide add_widened(const Wide& wide, const Sums& sum) {
    Wide more;
    for (int i = 0; i < lanes; ++i) {
      const auto bytes = static_cast<uint32_t>(sum.at[i]);
      const uint32_t pairs = (bytes & 0x00ff00ff) + (bytes >> 8 & 0x00ff00ff);
      more.at[i] = wide.at[i] + static_cast<int32_t>((pairs & 0xffff) + (pairs >> 16));
    }
    return more;
  }

  static uint32_t bits(const uint8_t* codes) {
    uint32_t bits = 0;
    for (int i = 0; i < 32; i += 8) {
      // The product's highest byte has bit j from byte j.
      uint64_t eight = 0;
      for (int j = 0; j < 8; ++j) eight |= static_cast<uint64_t>(codes[i + j]) << (8 * j);
      bits |= static_cast<uint32_t>((eight * 0x0102040810204080) >> 56) << i;
    }
    return bits;
  }
};

struct Depthwise : Channels {
  using Words = Integers;
  using Factors = Words;
  static constexpr int weight_bytes = 2 * kLanes;

  static Words load_weights(const uint8_t* from) {
    int16_t weights[kLanes];
    __builtin_memcpy(weights, from, sizeof weights);
    Words words;
    for (int i = 0; i < lanes; ++i) words.at[i] = weights[i];
    return words;
  }
  static Words multiply_add(Words sum, const uint8_t* input, ptrdiff_t, const Factors& factors) {
    for (int i = 0; i < lanes; ++i) sum.at[i] += input[i] * factors.at[i];
    return sum;
  }
};

}  // namespace

constexpr TileSet portable::kDot16 = {
    "dot16_2x8_portable", 2, 1, kLanes, {{dot_tile<Pairs, 1, 1>, dot_tile<Pairs, 2, 1>}}};

constexpr PopcountSet portable::kPopcount = {
    {"popcount_2x8_portable", 2, 1, kLanes, {{dot_tile<Bits, 1, 1>, dot_tile<Bits, 2, 1>}}},
    true,
    pack_code_bits<Bits>};

constexpr DepthwiseSet portable::kDepthwise = {
    {"depthwise_2x8_portable",
     2,
     1,
     kLanes,
     {{depthwise_tile<Depthwise, 1, 1>, depthwise_tile<Depthwise, 2, 1>}}},
    1};

}  // namespace lowbit::runtime
