// Quantizers of features for kernels that quantize on the way: formulas (math/formula.h) of one
// group, chosen at run time.
#pragma once

#include <cstdint>

#include "lowbit/kernels/math/dorefa.h"
#include "lowbit/kernels/math/formula.h"
#include "lowbit/kernels/math/gradscale.h"
#include "lowbit/kernels/math/lsq.h"
#include "lowbit/kernels/math/pact.h"

namespace lowbit::kernels {

// lsq: half range, without STE-scale.
enum class FeatureQuantizerKind : std::uint8_t { none, lsq, dorefa, pact };

struct FeatureQuantizer {
  FeatureQuantizerKind kind = FeatureQuantizerKind::none;
  FormulaArguments arguments{};

  constexpr bool learns() const {
    return kind == FeatureQuantizerKind::lsq || kind == FeatureQuantizerKind::pact;
  }
};

// A formula as such a kernel calls it; none: the identity.
template <class T>
struct NoFeatureQuantizer {
  static constexpr bool kQuantizes = false, kLearns = false;
  LOWBIT_HOST_DEVICE explicit NoFeatureQuantizer(const FeatureQuantizer&) {}
  LOWBIT_HOST_DEVICE T value(T x) const { return x; }
  LOWBIT_HOST_DEVICE FormulaGradient<T> gradient(T, T upstream) const { return {upstream, 0}; }
  LOWBIT_HOST_DEVICE double clip_gradient(double) const { return 0; }
};

template <class Formula>
struct FormulaFeatureQuantizer {
  static constexpr bool kQuantizes = true, kLearns = Formula::kLearns;
  Formula formula;

  LOWBIT_HOST_DEVICE explicit FormulaFeatureQuantizer(const FeatureQuantizer& quantizer)
      : formula(quantizer.arguments, 0) {}
  template <class T>
  LOWBIT_HOST_DEVICE T value(T x) const {
    return formula.level(formula.code(x));
  }
  template <class T>
  LOWBIT_HOST_DEVICE FormulaGradient<T> gradient(T x, T upstream) const {
    return formula.gradient(x, upstream);
  }
  LOWBIT_HOST_DEVICE double clip_gradient(double sum) const {
    if constexpr (kLearns)
      return formula.clip_gradient(sum);
    else
      return 0;
  }
};

// LSQ in half range as a formula.
template <class T>
struct LsqHalfRange {
  static constexpr bool kLearns = true;
  T clip_val;
  double factor;
  Lsq<LsqHalfGrid<T>, T> lsq;

  LOWBIT_HOST_DEVICE LsqHalfRange(const FormulaArguments& arguments, std::int64_t group)
      : clip_val(clip_of<T>(arguments, group)),
        factor(gradscale_factor(arguments.grad_scale)),
        lsq(clip_val, levels_of<T>(arguments)) {}
  LOWBIT_HOST_DEVICE T code(T x) const { return lsq.code(x); }
  LOWBIT_HOST_DEVICE T level(T code) const { return lsq.level(code); }
  LOWBIT_HOST_DEVICE FormulaGradient<T> gradient(T x, T upstream) const {
    return lsq.gradient(x, upstream, T(1));
  }
  LOWBIT_HOST_DEVICE double clip_gradient(double sum) const {
    return lsq_clip_gradient(sum, clip_val, factor);
  }
};

}  // namespace lowbit::kernels
