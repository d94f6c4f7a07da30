// Channels-last features 16 bytes at a time, for kernels that compute in float32.
#pragma once

#include <type_traits>

#include "lowbit/kernels/cuda/launch.cuh"

namespace lowbit::kernels::cuda {

template <class X>
inline constexpr int kChannelWidth = 16 / sizeof(X);

// visit(Type<X>) for the types that check_full_vectors lets through.
template <class Visit>
void visit_features(ScalarType type, const Visit& visit) {
  if (type == ScalarType::float16) return visit(Type<__half>{});
  if (type == ScalarType::bfloat16) return visit(Type<__nv_bfloat16>{});
  visit(Type<float>{});
}

template <bool flag>
struct Flag {};

// kChannelWidth numbers as they lie in memory, in four registers until they are used: as separate
// numbers of 16 bits they would take twice as many.
template <class X>
struct Packed {
  std::uint32_t words[4];

  __device__ float operator[](int k) const {
    if constexpr (sizeof(X) == 4) {
      return __uint_as_float(words[k]);
    } else if constexpr (std::is_same_v<X, __half>) {
      return __half2float(
          __ushort_as_half(static_cast<unsigned short>(words[k / 2] >> k % 2 * 16)));
    } else {
      return __uint_as_float(k % 2 == 0 ? words[k / 2] << 16 : words[k / 2] & 0xffff0000u);
    }
  }

  // Numbers k and k + 1, k even, each rounded.
  __device__ void set(int k, float first, float second) {
    if constexpr (sizeof(X) == 4) {
      words[k] = __float_as_uint(first);
      words[k + 1] = __float_as_uint(second);
    } else if constexpr (std::is_same_v<X, __half>) {
      const __half2 both = __floats2half2_rn(first, second);
      words[k / 2] = *reinterpret_cast<const std::uint32_t*>(&both);
    } else {
      const __nv_bfloat162 both = __floats2bfloat162_rn(first, second);
      words[k / 2] = *reinterpret_cast<const std::uint32_t*>(&both);
    }
  }
};

template <class X>
__device__ Packed<X> load_packed(const X* data) {
  const uint4 words = *reinterpret_cast<const uint4*>(data);
  return {{words.x, words.y, words.z, words.w}};
}

template <class X>
__device__ void store_packed(X* data, const Packed<X>& packed) {
  *reinterpret_cast<uint4*>(data) =
      make_uint4(packed.words[0], packed.words[1], packed.words[2], packed.words[3]);
}

// The numbers value(k).
template <class X, class Value>
__device__ Packed<X> packed(const Value& value) {
  Packed<X> result;
#pragma unroll
  for (int k = 0; k < kChannelWidth<X>; k += 2) result.set(k, value(k), value(k + 1));
  return result;
}

// The value after one rounding to the type of the features.
template <class X>
__device__ float rounded(float value) {
  return static_cast<float>(static_cast<X>(value));
}

}  // namespace lowbit::kernels::cuda
