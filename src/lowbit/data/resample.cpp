#include "lowbit/data/resample.h"

#include <algorithm>
#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lowbit::data {
namespace {

using kernels::kResampleHalf;
using kernels::resampled_byte;

#if defined(__x86_64__)
// What weighted_sum does for as many whole blocks as there are; how much that is. The compiler
// would go from bytes to 32 bits and back by detours, which take twice as long.
__attribute__((target("avx2"))) int64_t weighted_sum_avx2(const uint8_t* source, int64_t stride,
                                                          const AxisFilter::Taps taps,
                                                          int64_t length, uint8_t* to) {
  constexpr int64_t kLanes = 8, kVectors = 6;  // so many sums fit the registers
  int64_t begin = 0;
  for (; begin + kVectors * kLanes <= length; begin += kVectors * kLanes) {
    __m256i sums[kVectors];
    for (__m256i& sum : sums) sum = _mm256_set1_epi32(kResampleHalf);
    for (int64_t t = 0; t < taps.count; ++t) {
      const __m256i weight = _mm256_set1_epi32(taps.weights[t]);
      const uint8_t* from = source + t * stride + begin;
      for (int64_t v = 0; v < kVectors; ++v) {
        const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from + v * kLanes));
        const __m256i product = _mm256_mullo_epi32(_mm256_cvtepu8_epi32(bytes), weight);
        sums[v] = _mm256_add_epi32(sums[v], product);
      }
    }
    for (int64_t v = 0; v < kVectors; v += 2) {
      const __m256i mixed =
          _mm256_packs_epi32(_mm256_srai_epi32(sums[v], kernels::kResampleBits),
                             _mm256_srai_epi32(sums[v + 1], kernels::kResampleBits));
      const __m256i words = _mm256_permute4x64_epi64(mixed, 0b11'01'10'00);
      _mm_storeu_si128(
          reinterpret_cast<__m128i*>(to + begin + v * kLanes),
          _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
    }
  }
  return begin;
}
#endif

// to[i] = sum of weight t times source[t * stride + i], for i below `length`. Sums of a block stay
// in registers.
void weighted_sum(const uint8_t* source, int64_t stride, const AxisFilter::Taps taps,
                  int64_t length, uint8_t* to) {
  constexpr int64_t kBlock = 48;
  int64_t begin = 0;
#if defined(__x86_64__)
  static const bool has_avx2 = __builtin_cpu_supports("avx2");
  if (has_avx2) begin = weighted_sum_avx2(source, stride, taps, length, to);
#endif
  for (; begin + kBlock <= length; begin += kBlock) {
    int32_t sums[kBlock];
    for (int64_t i = 0; i < kBlock; ++i) sums[i] = kResampleHalf;
    for (int64_t t = 0; t < taps.count; ++t) {
      const int32_t weight = taps.weights[t];
      const uint8_t* from = source + t * stride + begin;
      for (int64_t i = 0; i < kBlock; ++i) sums[i] += from[i] * weight;
    }
    for (int64_t i = 0; i < kBlock; ++i) to[begin + i] = resampled_byte(sums[i]);
  }
  for (; begin < length; ++begin) {
    int32_t sum = kResampleHalf;
    for (int64_t t = 0; t < taps.count; ++t) sum += source[t * stride + begin] * taps.weights[t];
    to[begin] = resampled_byte(sum);
  }
}

// Rows are resized this many at a time, turned so that they lie side by side: the sums of a pixel
// are then over neighboring bytes, which is what vector instructions can do.
constexpr int64_t kTogether = 16;

// Turns 8x8 bytes: swaps quarters, then quarters of these, then single bytes.
inline void transpose8x8(const uint8_t* from, int64_t from_stride, uint8_t* to, int64_t to_stride) {
  static_assert(std::endian::native == std::endian::little);
  uint64_t row[8];
  for (int i = 0; i < 8; ++i) std::memcpy(&row[i], from + i * from_stride, 8);
  const auto exchange = [&](int distance, int shift, uint64_t low) {
    for (int i = 0; i < 8; ++i) {
      if (i & distance) continue;
      const uint64_t above = row[i], below = row[i + distance];
      row[i] = (above & low) | ((below & low) << shift);
      row[i + distance] = ((above >> shift) & low) | (below & ~low);
    }
  };
  exchange(4, 32, 0x00000000ffffffff);
  exchange(2, 16, 0x0000ffff0000ffff);
  exchange(1, 8, 0x00ff00ff00ff00ff);
  for (int i = 0; i < 8; ++i) std::memcpy(to + i * to_stride, &row[i], 8);
}

// to[x][y] = from[y][x] for multiples of 8 both ways.
void transpose(const uint8_t* from, int64_t from_stride, int64_t height, int64_t width, uint8_t* to,
               int64_t to_stride) {
  for (int64_t y = 0; y < height; y += 8)
    for (int64_t x = 0; x < width; x += 8)
      transpose8x8(from + y * from_stride + x, from_stride, to + x * to_stride + y, to_stride);
}

constexpr int64_t up_to_8(int64_t size) {
  return (size + 7) / 8 * 8;
}

// Resizes kTogether rows; those behind `height` repeat the last one. to has room for up_to_8 bytes
// a row.
void resize_rows(const uint8_t* source, int64_t row_bytes, int64_t height,
                 const AxisFilter& columns, uint8_t* to, int64_t to_bytes,
                 ResampleBuffers& buffers) {
  const int64_t width = 3 * (columns.source_end() - columns.source_begin());
  uint8_t* turned = buffers.columns.data();
  for (int64_t y = 0; y < kTogether; y += 8) {
    const int64_t whole = y + 8 <= height ? width / 8 * 8 : 0;
    transpose(source + y * row_bytes, row_bytes, std::min<int64_t>(8, whole), whole, turned + y,
              kTogether);
    for (int64_t i = y; i < y + 8; ++i)
      for (int64_t x = whole; x < width; ++x)
        turned[x * kTogether + i] = source[std::min(i, height - 1) * row_bytes + x];
  }
  uint8_t* narrow = buffers.narrow.data();
  for (int64_t x = 0; x < columns.count(); ++x) {
    const AxisFilter::Taps taps = columns.taps(x);
    weighted_sum(turned + (taps.first - columns.source_begin()) * 3 * kTogether, 3 * kTogether,
                 taps, 3 * kTogether, narrow + x * 3 * kTogether);
  }
  transpose(narrow, kTogether, up_to_8(3 * columns.count()), kTogether, to, to_bytes);
}

}  // namespace

AxisFilter::AxisFilter(const Axis& axis) : longest_(kernels::most_taps(axis)), begin_(axis.size) {
  taps_.resize(static_cast<size_t>(axis.count));
  weights_.resize(static_cast<size_t>(axis.count * longest_));
  for (int64_t i = 0; i < axis.count; ++i) {
    const kernels::ResampleTaps taps = kernels::resample_taps(axis, i);
    kernels::resample_weights(taps, weights_.data() + i * longest_, 1);
    taps_[static_cast<size_t>(i)] = {taps.first, taps.count};
    begin_ = std::min(begin_, taps.first);
    end_ = std::max(end_, taps.first + taps.count);
  }
}

AxisFilter::Taps AxisFilter::taps(int64_t i) const {
  const Range& range = taps_[static_cast<size_t>(i)];
  return {range.first, range.count, weights_.data() + i * longest_};
}

void resample(const uint8_t* source, int64_t row_bytes, const AxisFilter& rows,
              const AxisFilter& columns, uint8_t* to, ResampleBuffers& buffers) {
  const int64_t height = rows.source_end() - rows.source_begin();
  const int64_t width = columns.source_end() - columns.source_begin();
  const int64_t to_bytes = 3 * columns.count(), padded = up_to_8(to_bytes);
  buffers.columns.resize(static_cast<size_t>(up_to_8(3 * width) * kTogether));
  buffers.narrow.resize(static_cast<size_t>(padded * kTogether));
  const int64_t padded_height = (height + kTogether - 1) / kTogether * kTogether;
  buffers.rows.resize(static_cast<size_t>(padded_height * padded));
  for (int64_t y = 0; y < height; y += kTogether)
    resize_rows(source + y * row_bytes, row_bytes, height - y, columns,
                buffers.rows.data() + y * padded, padded, buffers);
  for (int64_t y = 0; y < rows.count(); ++y) {
    const AxisFilter::Taps taps = rows.taps(y);
    weighted_sum(buffers.rows.data() + (taps.first - rows.source_begin()) * padded, padded, taps,
                 to_bytes, to + y * to_bytes);
  }
}

}  // namespace lowbit::data
