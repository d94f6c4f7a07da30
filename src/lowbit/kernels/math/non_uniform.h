// FATNN's non-uniform quantizer: https://arxiv.org/abs/2008.05101.
//
// x: any real number.  a_i = |alpha_i| > 0, one per step i and group.  round: half to even, its
// gradient that of the identity (straight-through).
//
//   y = sum over the steps of round(clamp(v_i, low_i, low_i + 1)),   v_i = (x - t_i) a_i
//
//   half range   level_num - 1 <= 3 steps, low_i = 0, each starts where the one before ends:
//                t_0 = 0, t_1 = 1 / a_0, t_2 = 1 / a_0 + 1 / a_1         y = 0 .. level_num - 1
//   ternary      2 steps, low_0 = -1, low_1 = 0, t_i = 0                 y = -1, 0, 1
//
//   dy/dx   = sum of a_i over the steps with v_i inside    (inside: the ends included)
//   dy/da_i = x - t_i if v_i is inside, else 0;  in half range t_j of every later step j moves,
//             too: + a_j / a_i^2 for each j > i with v_j inside
//
// With STE-scale the gradient that passes the clamp of step i is multiplied by the factor that
// math/gradscale.h gives for the elements inside it.
//
// Closed form: y times basis, the factor with the least sum (x - basis y)^2, a constant for the
// gradient.
#pragma once

#include "lowbit/kernels/math/gradscale.h"
#include "lowbit/kernels/math/scalar.h"
#include "lowbit/kernels/non_uniform.h"

namespace lowbit::kernels {

// Three sums over an array, gathered part by part.
struct ThreeSums {
  double value[3] = {};

  LOWBIT_HOST_DEVICE void add(const ThreeSums& other) {
    for (int k = 0; k < 3; ++k) value[k] += other.value[k];
  }
};

template <class T>
struct NonUniformGradient {
  T x;                             // upstream * dy/dx
  T slope[NonUniformSteps::kMax];  // upstream * dy/da_i, this element's terms of the group's sums

  LOWBIT_HOST_DEVICE ThreeSums slope_terms() const {
    return {{static_cast<double>(slope[0]), static_cast<double>(slope[1]),
             static_cast<double>(slope[2])}};
  }
};

template <class T>
class NonUniform {
 public:
  // The quantizer of a group.
  LOWBIT_HOST_DEVICE NonUniform(const NonUniformSteps& steps, std::int64_t group)
      : half_(steps.range == NonUniformRange::half), count_(steps.count) {
    if (half_) {
      const auto made = static_cast<int>(*static_cast<const T*>(steps.level_num)) - 1;
      count_ = made < count_ ? made : count_;
    }
    T start = 0;
    for (int i = 0; i < kMax; ++i) {
      const bool exists = i < steps.count;
      slope_[i] = exists ? absolute(static_cast<const T*>(steps.alpha[i])[group]) : T(1);
      start_[i] = start;
      const T length = 1 / slope_[i];
      if (half_) start += length;
      length_[i] = half_ && length - length == 0 ? length : 0;
      clamp_scale_[i] = steps.counted == nullptr ? T(1) : scale_of(steps.counted, i);
    }
  }

  LOWBIT_HOST_DEVICE T value(T x) const {
    T y = step(x, 0);
    for (int i = 1; i < kMax; ++i) y = i < count_ ? y + step(x, i) : y;
    return y;
  }

  // For the host: y is its own code; the codes that there are, and where one begins, but for
  // roundings.
  T code(T x) const { return value(x); }
  T level(T code) const { return code; }
  T lowest() const { return half_ ? 0 : -1; }
  T highest() const { return half_ ? T(count_) : 1; }
  T edge(T code) const {
    const int i = static_cast<int>(code) - static_cast<int>(lowest()) - 1;
    return start_[i] + (low(i) + T(0.5)) / slope_[i];
  }

  // NaN in x gives NaN in every slope.
  LOWBIT_HOST_DEVICE NonUniformGradient<T> gradient(T x, T upstream) const {
    NonUniformGradient<T> result{};
    T later = 0;  // of the steps behind: upstream * a_j of those inside
    for (int i = kMax - 1; i >= 0; --i) {
      const T offset = x - start_[i];
      const T v = offset * slope_[i];
      const bool passes = is_inside(v, i);
      const T passed = passes ? upstream * clamp_scale_[i] : T(0);
      // An offset that does not pass may be infinite.
      result.slope[i] = passed * (passes   ? offset
                                  : v == v ? T(0)
                                           : v) +
                        later * length_[i] * length_[i];
      result.x += passed * slope_[i];
      later += passed * slope_[i];
    }
    return result;
  }

  // For each step 1 where its clamp leaves x as it is, else 0.
  LOWBIT_HOST_DEVICE ThreeSums inside(T x) const {
    ThreeSums result;
    for (int i = 0; i < kMax; ++i)
      result.value[i] = is_inside((x - start_[i]) * slope_[i], i) ? 1 : 0;
    return result;
  }

 private:
  static constexpr int kMax = NonUniformSteps::kMax;

  static LOWBIT_HOST_DEVICE T scale_of(const double* counted, int i) {
    return static_cast<T>(ste_scale_factor(static_cast<std::int64_t>(counted[kMax]),
                                           static_cast<std::int64_t>(counted[i])));
  }

  LOWBIT_HOST_DEVICE T low(int i) const { return half_ || i > 0 ? T(0) : T(-1); }
  LOWBIT_HOST_DEVICE bool is_inside(T v, int i) const {
    return i < count_ && low(i) <= v && v <= low(i) + 1;
  }
  LOWBIT_HOST_DEVICE T step(T x, int i) const {
    return round_half_even(clamp((x - start_[i]) * slope_[i], low(i), low(i) + 1));
  }

  T slope_[kMax], start_[kMax];  // a_i, t_i
  // 1 / a_i, whose square is -dt_j/da_i of every later step j. 0 in the ternary range, and where it
  // is infinite: then the later steps are, too, and no x is inside.
  T length_[kMax];
  T clamp_scale_[kMax];  // of STE-scale
  bool half_;
  int count_;  // of the steps made
};

// The gradients that reach the alphas of a group, through |.|. sums: of NonUniformGradient::slope.
template <class T>
LOWBIT_HOST_DEVICE void write_alpha_gradients(const NonUniformBackward& args, std::int64_t group,
                                              const ThreeSums& sums) {
  for (int i = 0; i < NonUniformSteps::kMax; ++i)
    if (i < args.steps.count)
      static_cast<T*>(args.grad_alpha[i])[group] = static_cast<T>(
          absolute_gradient(static_cast<const T*>(args.steps.alpha[i])[group], sums.value[i]));
}

// The factor behind the quantizer; 1 if there is none.
template <class T>
LOWBIT_HOST_DEVICE T non_uniform_basis(const void* basis) {
  return basis == nullptr ? T(1) : *static_cast<const T*>(basis);
}

// The terms that an element adds to the sums of the fit, or to the numbers of elements inside.
template <class T>
LOWBIT_HOST_DEVICE ThreeSums non_uniform_fit_terms(const NonUniform<T>& quantizer, T x,
                                                   bool counts_inside) {
  if (counts_inside) return quantizer.inside(x);
  const T y = quantizer.value(x);
  return {{static_cast<double>(y * x), static_cast<double>(y * y), static_cast<double>(x)}};
}

// What the fit writes, from the sums over `size` elements.
template <class T>
LOWBIT_HOST_DEVICE void update_non_uniform_basis(const NonUniformFit& args, const ThreeSums& sums,
                                                 double size) {
  const double auxil = sums.value[1] == 0 ? sums.value[2] / size : sums.value[0] / sums.value[1];
  T* basis = static_cast<T*>(args.basis);
  *static_cast<T*>(args.auxil) = static_cast<T>(auxil);
  // The pass is counted twice, and the mean is taken in between.
  const double t = static_cast<double>(*static_cast<const T*>(args.iteration)) - 1;
  *basis = static_cast<T>(args.running_mean ? (static_cast<double>(*basis) * (t - 1) + auxil) / t
                                            : auxil);
}

// What non_uniform_fit does with the sums over its array.
template <class T>
LOWBIT_HOST_DEVICE void finish_non_uniform_fit(const NonUniformFit& args, const ThreeSums& sums) {
  const double size = static_cast<double>(args.size);
  if (args.sums == nullptr) return update_non_uniform_basis<T>(args, sums, size);
  for (int i = 0; i < 3; ++i) args.sums[i] = sums.value[i];
  args.sums[3] = size;
}

// And non_uniform_fit_sums with those that were added up.
template <class T>
LOWBIT_HOST_DEVICE void fit_non_uniform_sums(const NonUniformFit& args) {
  update_non_uniform_basis<T>(args, {{args.sums[0], args.sums[1], args.sums[2]}}, args.sums[3]);
}

}  // namespace lowbit::kernels
