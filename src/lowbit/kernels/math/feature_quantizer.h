// Quantizers of features by the element alone, in one form for kernels that quantize on the way:
// value(x), and gradient(x, upstream) with the members x and clip, this element's term of the sum
// that is the gradient of clip_val before clip_gradient().
#pragma once

#include <cstdint>

#include "lowbit/kernels/math/dorefa.h"
#include "lowbit/kernels/math/gradscale.h"
#include "lowbit/kernels/math/lsq.h"
#include "lowbit/kernels/math/pact.h"

namespace lowbit::kernels {

// One group; lsq: half range, without STE-scale.
enum class FeatureQuantizerKind : std::uint8_t { none, lsq, dorefa, pact };

struct FeatureQuantizer {
  FeatureQuantizerKind kind = FeatureQuantizerKind::none;
  const void* clip_val = nullptr;   // lsq, pact: [1] of the compute type
  const void* level_num = nullptr;  // [1] of the compute type, read where the kernel runs
  double boundary = 1;              // dorefa: c of math/dorefa.h
  double grad_scale = 1;            // lsq: as in LsqBackward

  constexpr bool learns() const {
    return kind == FeatureQuantizerKind::lsq || kind == FeatureQuantizerKind::pact;
  }
};

template <class T>
struct FeatureGradient {
  T x, clip;
};

template <class T>
struct NoFeatureQuantizer {
  static constexpr bool kQuantizes = false, kLearns = false;
  LOWBIT_HOST_DEVICE explicit NoFeatureQuantizer(const FeatureQuantizer&) {}
  LOWBIT_HOST_DEVICE T value(T x) const { return x; }
  LOWBIT_HOST_DEVICE FeatureGradient<T> gradient(T, T upstream) const { return {upstream, 0}; }
  LOWBIT_HOST_DEVICE double clip_gradient(double) const { return 0; }
};

template <class T>
struct LsqFeatureQuantizer {
  static constexpr bool kQuantizes = true, kLearns = true;
  T clip_val;
  double factor;
  Lsq<LsqHalfGrid<T>, T> lsq;

  LOWBIT_HOST_DEVICE explicit LsqFeatureQuantizer(const FeatureQuantizer& q)
      : clip_val(*static_cast<const T*>(q.clip_val)),
        factor(gradscale_factor(q.grad_scale)),
        lsq(clip_val, *static_cast<const T*>(q.level_num)) {}
  LOWBIT_HOST_DEVICE T value(T x) const { return lsq.value(x); }
  LOWBIT_HOST_DEVICE FeatureGradient<T> gradient(T x, T upstream) const {
    const LsqGradient<T> gradient = lsq.gradient(x, upstream, T(1));
    return {gradient.x, gradient.clip};
  }
  LOWBIT_HOST_DEVICE double clip_gradient(double sum) const {
    return lsq_clip_gradient(sum, clip_val, factor);
  }
};

template <class T>
struct DorefaFeatureQuantizer {
  static constexpr bool kQuantizes = true, kLearns = false;
  DorefaActivation<T> dorefa;

  LOWBIT_HOST_DEVICE explicit DorefaFeatureQuantizer(const FeatureQuantizer& q)
      : dorefa{static_cast<T>(q.boundary), *static_cast<const T*>(q.level_num) - 1} {}
  LOWBIT_HOST_DEVICE T value(T x) const { return dorefa.value(x); }
  LOWBIT_HOST_DEVICE FeatureGradient<T> gradient(T x, T upstream) const {
    return {dorefa_activation_gradient(x, upstream, T(dorefa.boundary)), 0};
  }
  LOWBIT_HOST_DEVICE double clip_gradient(double) const { return 0; }
};

template <class T>
struct PactFeatureQuantizer {
  static constexpr bool kQuantizes = true, kLearns = true;
  Pact<T> pact;

  LOWBIT_HOST_DEVICE explicit PactFeatureQuantizer(const FeatureQuantizer& q)
      : pact{*static_cast<const T*>(q.clip_val), *static_cast<const T*>(q.level_num) - 1} {}
  LOWBIT_HOST_DEVICE T value(T x) const { return pact.value(x); }
  LOWBIT_HOST_DEVICE FeatureGradient<T> gradient(T x, T upstream) const {
    const PactGradient<T> gradient = pact_gradient(x, upstream, T(pact.clip));
    return {gradient.x, gradient.clip};
  }
  LOWBIT_HOST_DEVICE double clip_gradient(double sum) const { return sum; }
};

}  // namespace lowbit::kernels
