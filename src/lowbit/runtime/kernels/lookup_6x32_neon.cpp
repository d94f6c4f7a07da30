#if defined(__aarch64__)

#include "lowbit/runtime/kernels/lookup_indices.h"
#include "lowbit/runtime/kernels/lookup_tile.h"
#include "lowbit/runtime/kernels/neon.h"
#include "lowbit/runtime/kernels/tile_sizes.h"
#include "lowbit/runtime/kernels/vectors_neon.h"

namespace lowbit::runtime {
namespace {

// Rows of 16 bytes: four bits of weights, four of one bit or two of two.
struct Bytes {
  using Vector = uint8x16_t;
  static constexpr int lanes = 16;

  static uint16x8_t words(Vector a) { return vreinterpretq_u16_u8(a); }
  static Vector bytes(uint16x8_t a) { return vreinterpretq_u8_u16(a); }

  static Vector zero() { return vdupq_n_u8(0); }
  static Vector load(const uint8_t* from) { return vld1q_u8(from); }
  static Vector load_row(const uint8_t* row) { return vld1q_u8(row); }
  static Vector shuffle(Vector row, Vector entries) { return vqtbl1q_u8(row, entries); }
  static Vector add8(Vector a, Vector b) { return vaddq_u8(a, b); }
  static Vector add16(Vector a, Vector b) { return bytes(vaddq_u16(words(a), words(b))); }
  static Vector subtract16(Vector a, Vector b) { return bytes(vsubq_u16(words(a), words(b))); }
  static Vector high_bytes(Vector a) { return bytes(vshrq_n_u16(words(a), 8)); }
  static Vector shift_up(Vector a) { return bytes(vshlq_n_u16(words(a), 8)); }

  // even: sums of the channels 0, 2, ..., odd: of 1, 3, ..., of 16 bits each
  static void store(Vector even, Vector odd, int32_t scale, const int32_t* base, int32_t* out) {
    const uint16x8_t halves[2] = {vzip1q_u16(words(even), words(odd)),   // channels 0 .. 7
                                  vzip2q_u16(words(even), words(odd))};  // channels 8 .. 15
    for (int i = 0; i < 2; ++i) {
      const int first = 8 * i, second = first + 4;
      store_scaled(vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(halves[i]))), scale, base + first,
                   out + first);
      store_scaled(vreinterpretq_s32_u32(vmovl_high_u16(halves[i])), scale, base + second,
                   out + second);
    }
  }
};

constexpr TileSet kTiles = {"lookup_6x32_neon", 6, 2, Bytes::lanes,
                            LOWBIT_TILES_2X6(lookup_tile, Bytes)};
constexpr int kMostTableBytes = 1 << 14;  // within the first cache
constexpr int kNever = 1 << 30;

}  // namespace

// Of how many channels on it is faster was not measured: with more than half of a vector.
constexpr LookupSet neon::kLookup = {kTiles, 4, kMostTableBytes, {9, 9}, pack_lookup_indices};

constexpr LookupSet neon::kLookupOneBit = {
    kTiles, 4, kMostTableBytes, {9, kNever}, pack_lookup_indices};

}  // namespace lowbit::runtime

#endif
