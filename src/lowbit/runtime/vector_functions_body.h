// The loops of vector_functions.h for one instruction set: included by a source that names its
// namespace, LOWBIT_ISA, and the bytes of a vector, LOWBIT_VECTOR, and is compiled for it. Nothing
// here may leave a function behind that another source could use, too.
#include <cstring>
#include <type_traits>

#include "lowbit/runtime/formulas.h"
#include "lowbit/runtime/vector_functions.h"

// Of a loop that may write each number where it has just read it, and reads no other from there.
// clang has no word for it that is not an error where it does not vectorize.
#if defined(__clang__)
#define LOWBIT_IN_PLACE
#else
#define LOWBIT_IN_PLACE _Pragma("GCC ivdep")
#endif

namespace lowbit::runtime::LOWBIT_ISA {
namespace {

constexpr size_t kLanes = LOWBIT_VECTOR / sizeof(float);
typedef float Reals __attribute__((vector_size(LOWBIT_VECTOR)));
typedef int32_t Integers __attribute__((vector_size(LOWBIT_VECTOR)));
typedef uint8_t Bytes __attribute__((vector_size(kLanes)));

// For each number: body(place, channel).
template <class Body>
LOWBIT_INLINE void for_each_number(const ElementwiseCall& call, Body body) {
  for (size_t pixel = 0; pixel < call.pixels; ++pixel) {
    const size_t first = pixel * call.channels;
    for (size_t c = 0; c < call.channels; ++c) body(first + c, c);
  }
}

LOWBIT_INLINE size_t group_of(const ElementwiseCall& call, size_t c) {
  return (call.first_channel + c) / call.group_channels;
}

template <class Formula>
LOWBIT_INLINE void map(const ElementwiseCall& call, Formula formula) {
  const float* in = static_cast<const float*>(call.in);
  float* out = static_cast<float*>(call.out);
  const size_t count = call.pixels * call.channels;
  for (size_t i = 0; i < count; ++i) out[i] = formula(in[i]);
}

void scale(const ElementwiseCall& call) {
  const int32_t* sums = static_cast<const int32_t*>(call.in);
  float* out = static_cast<float*>(call.out);
  const float *a = call.a, *b = call.b;
  for_each_number(call,
                  [=](size_t i, size_t c) { out[i] = formulas::scaled(sums[i], a[c]) + b[c]; });
}

void scale_more(const ElementwiseCall& call) {
  const int32_t* sums = static_cast<const int32_t*>(call.in);
  float* out = static_cast<float*>(call.out);
  const float *a = call.a, *b = call.b;
  for_each_number(call, [=](size_t i, size_t c) {
    out[i] = (out[i] + formulas::scaled(sums[i], a[c])) + b[c];
  });
}

void normalize(const ElementwiseCall& call) {
  const uint8_t* in = static_cast<const uint8_t*>(call.in);
  float* out = static_cast<float*>(call.out);
  const float *a = call.a, *b = call.b;
  for_each_number(call,
                  [=](size_t i, size_t c) { out[i] = formulas::normalized(in[i], a[c], b[c]); });
}

void affine(const ElementwiseCall& call) {
  const float* in = static_cast<const float*>(call.in);
  float* out = static_cast<float*>(call.out);
  const float *a = call.a, *b = call.b;
  for_each_number(call, [=](size_t i, size_t c) { out[i] = formulas::affine(in[i], a[c], b[c]); });
}

void relu(const ElementwiseCall& call) {
  map(call, [](float x) { return formulas::relu(x); });
}

void clamp(const ElementwiseCall& call) {
  map(call, [low = call.low, high = call.high](float x) { return formulas::clamp(x, low, high); });
}

void leaky(const ElementwiseCall& call) {
  const float* in = static_cast<const float*>(call.in);
  float* out = static_cast<float*>(call.out);
  const float* a = call.a;
  for_each_number(call, [=](size_t i, size_t c) { out[i] = formulas::leaky(in[i], a[c]); });
}

void absolute(const ElementwiseCall& call) {
  map(call, [](float x) { return formulas::absolute(x); });
}

void divide_root(const ElementwiseCall& call) {
  map(call, [low = call.low](float x) { return formulas::divide_root(x, low); });
}

template <class Formula>
LOWBIT_INLINE void combine(const ElementwiseCall& call, Formula formula) {
  const float* in = static_cast<const float*>(call.in);
  float* out = static_cast<float*>(call.out);
  const size_t channels = call.channels;
  for (size_t pixel = 0; pixel < call.pixels; ++pixel) {
    const float *x = in + pixel * channels, *other = call.other + pixel * call.other_pixel;
    float* y = out + pixel * channels;
    if (call.other_channel == 0) {
      LOWBIT_IN_PLACE
      for (size_t c = 0; c < channels; ++c) y[c] = formula(x[c], other[0]);
    } else {
      LOWBIT_IN_PLACE
      for (size_t c = 0; c < channels; ++c) y[c] = formula(x[c], other[c]);
    }
  }
}

void add(const ElementwiseCall& call) {
  combine(call, [](float x, float y) { return x + y; });
}
void subtract(const ElementwiseCall& call) {
  combine(call, [](float x, float y) { return x - y; });
}
void multiply(const ElementwiseCall& call) {
  combine(call, [](float x, float y) { return x * y; });
}
void divide(const ElementwiseCall& call) {
  combine(call, [](float x, float y) { return x / y; });
}
void subtract_from(const ElementwiseCall& call) {
  combine(call, [](float x, float y) { return y - x; });
}
void divide_through(const ElementwiseCall& call) {
  combine(call, [](float x, float y) { return y / x; });
}

template <class Vector, class T>
LOWBIT_INLINE Vector load(const T* from) {
  Vector vector;
  std::memcpy(&vector, from, sizeof vector);
  return vector;
}

// Up to kLanes numbers, mostly just as many.
template <class T>
LOWBIT_INLINE void copy(void* to, const void* from, size_t count) {
  if (count == kLanes)
    std::memcpy(to, from, kLanes * sizeof(T));
  else
    std::memcpy(to, from, count * sizeof(T));
}

// By conversion GCC takes vectors of up to 32 bytes apart into single numbers.
LOWBIT_INLINE Bytes lowest_bytes(const Integers& numbers) {
#if LOWBIT_VECTOR > 32
  return __builtin_convertvector(numbers, Bytes);
#else
  typedef uint8_t All __attribute__((vector_size(LOWBIT_VECTOR)));
  const All bytes = load<All>(&numbers);
#if LOWBIT_VECTOR == 32
  // Within each half, and then of both.
  const All halves =
      __builtin_shufflevector(bytes, bytes, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 16,
                              20, 24, 28, 16, 20, 24, 28, 16, 20, 24, 28, 16, 20, 24, 28);
  const Integers fours = load<Integers>(&halves);
  const Integers together = __builtin_shufflevector(fours, fours, 0, 4, 0, 4, 0, 4, 0, 4);
  return load<Bytes>(&together);
#else
  return __builtin_shufflevector(bytes, bytes, 0, 4, 8, 12);
#endif
#endif
}

// Codes: coder.codes gives those of a vector of channels from c on, for several pixels at once,
// which share what goes by channel. At the end of a pixel it may read parameters of no channel.
template <class Vector, class T, class Coder>
LOWBIT_INLINE void code(const ElementwiseCall& call, const Coder& coder) {
  constexpr size_t kPixels = 4;
  const size_t per_pixel = call.channels, whole = per_pixel / kLanes * kLanes;
  const size_t together = call.pixels / kPixels * kPixels;
  const T* in = static_cast<const T*>(call.in);
  uint8_t* out = static_cast<uint8_t*>(call.out);
  Vector x[kPixels];
  Integers codes[kPixels];
  for (size_t first = 0; first < together * per_pixel; first += kPixels * per_pixel)
    for (size_t c = 0; c < whole; c += kLanes) {
#pragma GCC unroll 4
      for (size_t p = 0; p < kPixels; ++p) x[p] = load<Vector>(in + first + p * per_pixel + c);
      coder.template codes<kPixels>(x, c, codes);
#pragma GCC unroll 4
      for (size_t p = 0; p < kPixels; ++p) {
        const Bytes bytes = lowest_bytes(codes[p]);
        std::memcpy(out + first + p * per_pixel + c, &bytes, sizeof bytes);
      }
    }
  // The rest of each pixel, and of the pixels.
  for (size_t pixel = whole < per_pixel ? 0 : together; pixel < call.pixels; ++pixel)
    for (size_t c = pixel < together ? whole : 0; c < per_pixel; c += kLanes) {
      const size_t count = per_pixel - c < kLanes ? per_pixel - c : kLanes;
      x[0] = Vector{};
      copy<T>(&x[0], in + pixel * per_pixel + c, count);
      coder.template codes<1>(x, c, codes);
      const Bytes bytes = lowest_bytes(codes[0]);
      copy<uint8_t>(out + pixel * per_pixel + c, &bytes, count);
    }
}

// The number of thresholds [steps][channels] that are not above x; `finish` makes the code of it.
template <class T, class Finish>
struct Counted {
  const T* thresholds;
  size_t steps, channels;  // of all, from one threshold of a channel to the next
  Finish finish;

  template <size_t pixels, class Vector>
  LOWBIT_INLINE void codes(const Vector* x, size_t c, Integers* count) const {
    // Integers that are not above are those less that are: instruction sets have but that
    // comparison.
    constexpr bool kAbove = std::is_integral_v<T>;
#pragma GCC unroll 4
    for (size_t p = 0; p < pixels; ++p)
      count[p] = Integers{} + (kAbove ? static_cast<int32_t>(steps) : 0);
    for (size_t t = 0; t < steps; ++t) {
      const Vector threshold = load<Vector>(thresholds + t * channels + c);
#pragma GCC unroll 4
      for (size_t p = 0; p < pixels; ++p)  // true is -1
        count[p] += kAbove ? threshold > x[p] : -(threshold <= x[p]);
    }
#pragma GCC unroll 4
    for (size_t p = 0; p < pixels; ++p) count[p] = finish(count[p], c);
  }
};

// lines.h says why.
struct OnLine {
  const float *factor, *shift;
  float last;

  template <size_t pixels, class Vector>
  LOWBIT_INLINE void codes(const Vector* x, size_t c, Integers* codes) const {
    const Reals factors = load<Reals>(factor + c), shifts = load<Reals>(shift + c);
#pragma GCC unroll 4
    for (size_t p = 0; p < pixels; ++p) codes[p] = on_line(x[p], factors, shifts, last);
  }

  template <class Vector>
  LOWBIT_INLINE static Integers on_line(const Vector& x, const Reals& factor, const Reals& shift,
                                        float last) {
    return __builtin_convertvector(
        formulas::place_on_line(__builtin_convertvector(x, Reals), factor, shift, Reals{} + last),
        Integers);
  }
};

LOWBIT_INLINE bool any(const Integers& numbers) {
  uint64_t parts[sizeof numbers / sizeof(uint64_t)], all = 0;
  std::memcpy(parts, &numbers, sizeof numbers);
  for (const uint64_t part : parts) all |= part;
  return all != 0;
}

// Codes that are too low, counted up.
[[gnu::noinline]] void count_up(const ElementwiseCall& call, const float* x, size_t c,
                                int32_t* codes) {
  for (size_t i = 0; i < kLanes && c + i < call.channels; ++i) {
    const float* thresholds = call.numbers + group_of(call, c + i) * call.steps;
    while (static_cast<size_t>(codes[i]) < call.steps && thresholds[codes[i]] <= x[i]) ++codes[i];
  }
}

struct BetweenLines {
  const ElementwiseCall& call;

  template <size_t pixels>
  LOWBIT_INLINE void codes(const Reals* x, size_t c, Integers* codes) const {
    const size_t channel = call.first_channel + c;
    const Reals factor = load<Reals>(call.a + channel), under = load<Reals>(call.b + channel),
                above = under + call.low;
    Integers differ{};
#pragma GCC unroll 4
    for (size_t p = 0; p < pixels; ++p) {
      codes[p] = OnLine::on_line(x[p], factor, under, call.high);
      differ |= codes[p] ^ OnLine::on_line(x[p], factor, above, call.high);
    }
    if (!any(differ)) [[likely]]
      return;
    for (size_t p = 0; p < pixels; ++p) {
      float numbers[kLanes];
      int32_t counts[kLanes];
      std::memcpy(numbers, &x[p], sizeof numbers);
      std::memcpy(counts, &codes[p], sizeof counts);
      count_up(call, numbers, c, counts);
      codes[p] = load<Integers>(counts);
    }
  }
};

struct Plain {
  LOWBIT_INLINE Integers operator()(const Integers& count, size_t) const { return count; }
};

struct Directed {
  const int32_t *base, *sign;
  LOWBIT_INLINE Integers operator()(const Integers& count, size_t c) const {
    return load<Integers>(base + c) + load<Integers>(sign + c) * count;
  }
};

void quantize(const ElementwiseCall& call) {
  code<Reals, float>(call,
                     Counted<float, Plain>{call.numbers, call.steps, call.all_channels, Plain{}});
}
void compare(const ElementwiseCall& call) {
  code<Integers, int32_t>(
      call,
      Counted<int32_t, Directed>{call.sums, call.steps, call.all_channels, {call.base, call.sign}});
}
void line_of_sums(const ElementwiseCall& call) {
  code<Integers, int32_t>(call, OnLine{call.a, call.b, call.high});
}

void between_lines(const ElementwiseCall& call) {
  code<Reals, float>(call, BetweenLines{call});
}

void search(const ElementwiseCall& call) {
  const float* in = static_cast<const float*>(call.in);
  uint8_t* out = static_cast<uint8_t*>(call.out);
  for_each_number(call, [&](size_t i, size_t c) {
    const float* first = call.numbers + group_of(call, c) * call.steps;
    const float x = in[i];
    size_t below = 0;  // so many are known to be not above x
    for (size_t length = call.steps; length > 0;) {
      const size_t half = (length + 1) / 2;
      const bool reached = first[below + half - 1] <= x;
      below += reached ? half : 0;
      length = reached ? length - half : half - 1;
    }
    out[i] = static_cast<uint8_t>(below);
  });
}

void dequantize(const ElementwiseCall& call) {
  const uint8_t* in = static_cast<const uint8_t*>(call.in);
  float* out = static_cast<float*>(call.out);
  if (call.group_channels == call.all_channels) {
    const size_t count = call.pixels * call.channels;
    for (size_t i = 0; i < count; ++i) out[i] = call.numbers[in[i]];
    return;
  }
  for_each_number(call, [&](size_t i, size_t c) {
    out[i] = call.numbers[group_of(call, c) * call.steps + in[i]];
  });
}

template <class T, class Formula>
LOWBIT_INLINE void gather(const SpatialCall& call, Formula formula) {
  const T* in = static_cast<const T*>(call.in);
  T* out = static_cast<T*>(call.out);
  for (size_t pixel = 0; pixel < call.pixels; ++pixel) {
    for (size_t c = 0; c < call.channels; ++c) out[c] = formula(out[c], in[c], c);
    in += call.in_pixel;
    out += call.out_pixel;
  }
}

void sum(const SpatialCall& call) {
  gather<float>(call, [](float sum, float x, size_t) { return sum + x; });
}

// Of the channels from `first` on, as many as fit Numbers at a time.
template <class Numbers, class T>
LOWBIT_INLINE size_t maxima(const SpatialCall& call, size_t first) {
  const T* in = static_cast<const T*>(call.in);
  constexpr size_t kNumbers = sizeof(Numbers) / sizeof(T);
  for (; first + kNumbers <= call.channels; first += kNumbers) {
    Numbers most = load<Numbers>(in + first);
    for (size_t row = 0; row < call.rows; ++row)
      for (size_t column = 0; column < call.columns; ++column) {
        const Numbers x = load<Numbers>(in + row * call.in_row + column * call.in_pixel + first);
        most = most < x ? x : most;
      }
    std::memcpy(static_cast<T*>(call.out) + first, &most, sizeof most);
  }
  return first;
}

void maximum(const SpatialCall& call) {
  maxima<float, float>(call, maxima<Reals, float>(call, 0));
}
void maximum_codes(const SpatialCall& call) {
  typedef uint8_t Codes __attribute__((vector_size(LOWBIT_VECTOR)));
  maxima<uint8_t, uint8_t>(call, maxima<Codes, uint8_t>(call, 0));
}
void convolve_each(const SpatialCall& call) {
  gather<float>(call, [weights = call.weights](float sum, float x, size_t c) {
    return formulas::plus_product(sum, x, weights[c]);
  });
}

void convolve(const SpatialCall& call) {
  const float* in = static_cast<const float*>(call.in);
  float* out = static_cast<float*>(call.out);
  for (size_t pixel = 0; pixel < call.pixels; ++pixel) {
    const float* weights = call.weights;
    for (size_t i = 0; i < call.in_channels; ++i) {
      const float x = in[i];
      for (size_t c = 0; c < call.channels; ++c)
        out[c] = formulas::plus_product(out[c], x, weights[c]);
      weights += call.weights_row;
    }
    in += call.in_pixel;
    out += call.out_pixel;
  }
}

}  // namespace

extern const VectorFunctions kFunctions;
const VectorFunctions kFunctions = {
    .elementwise = {scale,         scale_more, compare,   line_of_sums,  normalize,      affine,
                    relu,          clamp,      leaky,     absolute,      divide_root,    add,
                    subtract,      multiply,   divide,    subtract_from, divide_through, quantize,
                    between_lines, search,     dequantize},
    .spatial = {maximum, maximum_codes, sum, convolve, convolve_each}};

}  // namespace lowbit::runtime::LOWBIT_ISA
