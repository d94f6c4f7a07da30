#if defined(__AVX512VPOPCNTDQ__)

#include "lowbit/runtime/kernels/avx512.h"
#include "lowbit/runtime/kernels/code_bits.h"
#include "lowbit/runtime/kernels/dot_tile.h"
#include "lowbit/runtime/kernels/tile_sizes.h"
#include "lowbit/runtime/kernels/vectors_avx512.h"

namespace lowbit::runtime {
namespace {

struct Bits : FourByteSteps {
  static Vector multiply_add(Vector sum, Vector input, Vector factor) {
    return _mm512_add_epi32(sum, _mm512_popcnt_epi32(_mm512_xor_si512(input, factor)));
  }

  static uint32_t bits(const uint8_t* codes) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes));
    return _cvtmask32_u32(_mm256_test_epi8_mask(bytes, bytes));
  }
};

}  // namespace

constexpr PopcountSet avx512::kPopcount = {
    {"popcount_6x64_avx512", 6, 4, Bits::lanes, LOWBIT_TILES_4X6(dot_tile, Bits)},
    false,
    pack_code_bits<Bits>};

}  // namespace lowbit::runtime

#endif
