// LQ-Nets: learned quantization, https://arxiv.org/abs/1807.10029.
//
// A group of x has b basis values v_i, 1 <= b <= 8, and L <= 256 codes; code k has the vector c_k
// of b numbers (a row of the codec) and the binary digits d_i(k) = floor(k / 2^i) mod 2.
//
//   levels       l = the L numbers sum_i c_k,i v_i in ascending order; equal ones by code
//   thresholds   t_i = sum_j M_i,j l_j, i = 1 .. L - 1, M [L - 1, L] the threshold multiplier
//   value        y = l_p, p = the last i with x > t_i, or 0; NaN for NaN
//   gradient     features: 0 where x >= l_(L-1), else that of the identity
//                weights: that of the identity
//
// In training, the basis follows the least-squares solution over the group's N elements x:
//
//   B [N, b]     digits of the chosen codes: d (half range) or 2 d - 1 (full range)
//   new = (B^T B)^-1 B^T x
//   features     a zero on the diagonal of B^T B becomes 1e-5
//   weights      (B^T B)_ii <- ((B^T B)_ii + 1e-4) 1.000001    B^T x <- B^T x + 1e-4 v
//   v <- 0.9 v + 0.1 new,   or with the running mean over iterations t = 1, 2, ...
//   v <- (v (t - 1) + new) / t
//
// B^T B is rounded to float32 after each of its steps; all that is gathered over the group are
// integers and double sums. If B^T B is singular or the solution not finite, v stays.
#pragma once

#include <cstdint>
#include <limits>

#include "lowbit/kernels/math/scalar.h"

namespace lowbit::kernels {

inline constexpr int kLqMaxBits = 8;
inline constexpr int kLqMaxLevels = 256;

// sum_i a_i b_i of `count` numbers; those of b are `stride` apart.
template <class T>
LOWBIT_HOST_DEVICE T lq_dot(const T* a, const T* b, std::int64_t stride, int count) {
  T sum = 0;
  for (int i = 0; i < count; ++i) sum += a[i] * b[i * stride];
  return sum;
}

// How many of the `count` levels come before levels[k] in ascending order: by code where they are
// equal, NaN last. A permutation over k, whatever the levels are.
template <class T>
LOWBIT_HOST_DEVICE int lq_rank(const T* levels, int count, int k) {
  const T own = levels[k];
  int rank = 0;
  for (int j = 0; j < count; ++j) {
    const T other = levels[j];
    const bool less = other < own || (is_nan(own) && !is_nan(other));
    const bool greater = own < other || (is_nan(other) && !is_nan(own));
    rank += less || (!greater && j < k);
  }
  return rank;
}

// min over j >= i of t_j: x > t_j for some j >= i just where x > this, so that a search for the
// last i with x > t_i may bisect even where the multiplier puts thresholds out of order. A NaN
// threshold is never exceeded.
template <class T>
LOWBIT_HOST_DEVICE T lq_lowest_threshold(const T* thresholds, int count, int i) {
  T lowest = std::numeric_limits<T>::infinity();
  for (int j = i; j < count; ++j) lowest = thresholds[j] < lowest ? thresholds[j] : lowest;
  return lowest;
}

// p: the number of `count` ascending thresholds that are below x.
template <class T>
LOWBIT_HOST_DEVICE int lq_position(T x, const T* thresholds, int count) {
  int low = 0, high = count;
  while (low < high) {
    const int middle = (low + high) / 2;
    const bool above = x > thresholds[middle];
    low = above ? middle + 1 : low;
    high = above ? high : middle;
  }
  return low;
}

template <class T>
LOWBIT_HOST_DEVICE T lq_value(T x, const T* levels, int position) {
  return is_nan(x) ? x : levels[position];
}

template <class T>
LOWBIT_HOST_DEVICE T lq_feature_gradient(T x, T upstream, T highest_level) {
  return x >= highest_level ? T(0) : upstream;
}

// On a GPU, an array stays in registers only where every index into it is a constant.
#if defined(__CUDA_ARCH__)
#define LOWBIT_UNROLL _Pragma("unroll")
#else
#define LOWBIT_UNROLL
#endif

// The lower triangle of a symmetric matrix, row by row.
LOWBIT_HOST_DEVICE constexpr int lq_pair(int i, int j) {
  return i < j ? j * (j + 1) / 2 + i : i * (i + 1) / 2 + j;
}
LOWBIT_HOST_DEVICE constexpr int lq_pairs(int bits) {
  return bits * (bits + 1) / 2;
}

// What a group's B^T B and B^T x follow from, gathered element by element and part by part, for up
// to `bits` digits.
template <int bits>
struct LqStatistics {
  double total = 0;                          // sum of x
  double sum[bits] = {};                     // of x where digit i is 1
  std::uint32_t count[lq_pairs(bits)] = {};  // of elements whose digits i and j <= i are 1

  template <class T>
  LOWBIT_HOST_DEVICE void add(T x, int code) {
    const double value = static_cast<double>(x);
    total += value;
    LOWBIT_UNROLL
    for (int i = 0; i < bits; ++i) {
      const int digit = code >> i & 1;
      sum[i] += digit != 0 ? value : 0.0;
      LOWBIT_UNROLL
      for (int j = 0; j <= i; ++j) count[lq_pair(i, j)] += digit & (code >> j);
    }
  }
  LOWBIT_HOST_DEVICE void add(const LqStatistics& other) {
    total += other.total;
    LOWBIT_UNROLL
    for (int i = 0; i < bits; ++i) sum[i] += other.sum[i];
    LOWBIT_UNROLL
    for (int i = 0; i < lq_pairs(bits); ++i) count[i] += other.count[i];
  }
};

// The statistics and N as numbers to be added to those of other processes, all but the sums of x
// whole and exact.
LOWBIT_HOST_DEVICE constexpr int lq_sum_count(int bits) {
  return 2 + bits + lq_pairs(bits);
}
template <int bits>
LOWBIT_HOST_DEVICE void lq_write_sums(const LqStatistics<bits>& all, std::int64_t size,
                                      double* sums) {
  sums[0] = static_cast<double>(size);
  sums[1] = all.total;
  LOWBIT_UNROLL
  for (int i = 0; i < bits; ++i) sums[2 + i] = all.sum[i];
  LOWBIT_UNROLL
  for (int i = 0; i < lq_pairs(bits); ++i) sums[2 + bits + i] = all.count[i];
}
template <int bits>
LOWBIT_HOST_DEVICE LqStatistics<bits> lq_read_sums(const double* sums, std::int64_t& size) {
  LqStatistics<bits> all;
  size = static_cast<std::int64_t>(sums[0]);
  all.total = sums[1];
  LOWBIT_UNROLL
  for (int i = 0; i < bits; ++i) all.sum[i] = sums[2 + i];
  LOWBIT_UNROLL
  for (int i = 0; i < lq_pairs(bits); ++i)
    all.count[i] = static_cast<std::uint32_t>(sums[2 + bits + i]);
  return all;
}

// Which system is solved.
struct LqSystem {
  int bits;           // b
  bool full_range;    // digits -1, 1 instead of 0, 1
  bool weights;       // regularized; else zeros on the diagonal are replaced
  std::int64_t size;  // N
};

// B^T B and B^T x; rows above b are those of the identity and 0, so that the size is a constant.
template <int bits>
struct LqEquations {
  double matrix[lq_pairs(bits)] = {};
  double right[bits] = {};
};

LOWBIT_HOST_DEVICE inline float lq_diagonal(float value, bool weights) {
  if (!weights) return value == 0 ? 1e-5F : value;
  const float raised = value + 1e-4F;
  return raised * 1.000001F;
}

// Entry (i, j) of B^T B.
template <int bits>
LOWBIT_HOST_DEVICE double lq_product(const LqSystem& system, const LqStatistics<bits>& all, int i,
                                     int j) {
  if (i >= system.bits) return i == j ? 1 : 0;
  const std::int64_t both = all.count[lq_pair(i, j)];
  const std::int64_t own_i = all.count[lq_pair(i, i)], own_j = all.count[lq_pair(j, j)];
  // In full range (2 d_i - 1) (2 d_j - 1), summed over the elements.
  const float value =
      static_cast<float>(system.full_range ? 4 * both - 2 * own_i - 2 * own_j + system.size : both);
  return static_cast<double>(i == j ? lq_diagonal(value, system.weights) : value);
}

// basis: v, its values `stride` apart.
template <class T, int bits>
LOWBIT_HOST_DEVICE LqEquations<bits> lq_equations(const LqSystem& system,
                                                  const LqStatistics<bits>& all, const T* basis,
                                                  std::int64_t stride) {
  LqEquations<bits> equations;
  LOWBIT_UNROLL
  for (int i = 0; i < bits; ++i) {
    LOWBIT_UNROLL
    for (int j = 0; j <= i; ++j) equations.matrix[lq_pair(i, j)] = lq_product(system, all, i, j);
    if (i >= system.bits) continue;
    double& right = equations.right[i];
    right = system.full_range ? 2 * all.sum[i] - all.total : all.sum[i];
    if (system.weights) right += static_cast<double>(T(1e-4) * basis[i * stride]);
  }
  return equations;
}

// Solves in place, the solution in equations.right; false if the matrix is singular or the solution
// not finite. L D L^T without pivoting: B^T B is positive semi-definite. A pivot that is not a
// 1e-12th of its diagonal entry is what rounding leaves of a zero: counts up to 2^32 and the
// regularization keep others far above.
template <int bits>
LOWBIT_HOST_DEVICE bool lq_solve(LqEquations<bits>& equations) {
  constexpr double kSmallestPivot = 1e-12;
  double* matrix = equations.matrix;
  double* right = equations.right;
  bool regular = true;
  LOWBIT_UNROLL
  for (int j = 0; j < bits; ++j) {
    double& pivot = matrix[lq_pair(j, j)];
    const double diagonal = pivot;
    LOWBIT_UNROLL
    for (int k = 0; k < j; ++k)
      pivot -= matrix[lq_pair(j, k)] * matrix[lq_pair(j, k)] * matrix[lq_pair(k, k)];
    regular = regular && pivot > kSmallestPivot * diagonal;
    LOWBIT_UNROLL
    for (int i = j + 1; i < bits; ++i) {
      double& entry = matrix[lq_pair(i, j)];
      LOWBIT_UNROLL
      for (int k = 0; k < j; ++k)
        entry -= matrix[lq_pair(i, k)] * matrix[lq_pair(j, k)] * matrix[lq_pair(k, k)];
      entry /= pivot;
    }
  }
  LOWBIT_UNROLL
  for (int i = 0; i < bits; ++i) {
    LOWBIT_UNROLL
    for (int k = 0; k < i; ++k) right[i] -= matrix[lq_pair(i, k)] * right[k];
  }
  LOWBIT_UNROLL
  for (int i = bits - 1; i >= 0; --i) {
    right[i] /= matrix[lq_pair(i, i)];
    LOWBIT_UNROLL
    for (int k = i + 1; k < bits; ++k) right[i] -= matrix[lq_pair(k, i)] * right[k];
    regular = regular && is_finite(right[i]);
  }
  return regular;
}

// The next value of a basis entry.
template <class T>
LOWBIT_HOST_DEVICE T lq_moving_average(T basis, T solved) {
  return T(0.9) * basis + T(0.1) * solved;
}
template <class T>
LOWBIT_HOST_DEVICE T lq_running_mean(T basis, T solved, T iteration) {
  return (basis * (iteration - 1) + solved) / iteration;
}

// Learns from the whole group. basis and auxil (the solution): of this group, `stride` apart, both
// left as they are if there is no solution: the result is then false. iteration: t of the running
// mean, null for the moving average.
template <class T, int bits>
LOWBIT_HOST_DEVICE bool lq_learn(const LqSystem& system, const LqStatistics<bits>& all, T* basis,
                                 T* auxil, std::int64_t stride, const T* iteration) {
  LqEquations<bits> equations = lq_equations(system, all, basis, stride);
  if (!is_finite(all.total) || !lq_solve(equations)) return false;
  LOWBIT_UNROLL
  for (int i = 0; i < bits; ++i) {
    if (i >= system.bits) continue;
    const T solved = static_cast<T>(equations.right[i]);
    T& value = basis[i * stride];
    auxil[i * stride] = solved;
    value = iteration == nullptr ? lq_moving_average(value, solved)
                                 : lq_running_mean(value, solved, *iteration);
  }
  return true;
}

}  // namespace lowbit::kernels
