// FATNN's non-uniform quantizer (https://arxiv.org/abs/2008.05101), in the form that
// math/non_uniform.h states: value and straight-through gradients, and the factor on activations
// that fits them best (closed form).
//
// Types, errors, overlap and size 0 are as in lsq.h. NaN in x gives NaN in y, and in grad_alpha;
// infinities are clipped like any large value.
#pragma once

#include <cstdint>

#include "lowbit/kernels/types.h"

namespace lowbit::kernels {

enum class NonUniformRange : std::uint8_t {
  half,     // levels 0 .. level_num - 1; level_num is 2 to 4
  ternary,  // levels -1, 0, 1
};

// The steps of the quantizer; each has a learned slope for every group.
struct NonUniformSteps {
  static constexpr int kMax = 3;

  const void* alpha[kMax] = {};     // each [groups.count] of compute_type(x.type); |alpha| is used
  int count = 0;                    // of alpha: 1 to 3 in half range, 2 for ternary
  const void* level_num = nullptr;  // [1] of compute_type(x.type), read where the kernel runs: in
                                    // half range only the first level_num - 1 steps are made
  NonUniformRange range = NonUniformRange::half;
  // STE-scale, of the backward pass: what non_uniform_fit with counts_inside has written, [kSums].
  // Null: no STE-scale.
  const double* counted = nullptr;
};

struct NonUniformForward {
  Input x;                      // [size]
  Output y;                     // [size]
  std::int64_t size = 0;        // number of elements
  Groups groups;                // of x
  NonUniformSteps steps;        // of the quantizer
  const void* basis = nullptr;  // [1] of compute_type(x.type), a factor on y; null: none
};
void non_uniform_forward(Backend backend, const NonUniformForward& args, Stream stream = nullptr);

// auxil = sum(y x) / sum(y y), y without the factor; mean(x) if the denominator is 0. basis becomes
// auxil, or with running_mean (basis (t - 1) + auxil) / t, t = iteration - 1: `iteration` counts
// passes of training twice. Both stay as they are where size is 0.
struct NonUniformFit {
  Input x;                          // [size]
  std::int64_t size = 0;            // number of elements
  Groups groups;                    // of x
  NonUniformSteps steps;            // of the quantizer
  void* basis = nullptr;            // [1] of compute_type(x.type)
  void* auxil = nullptr;            // [1] of compute_type(x.type)
  const void* iteration = nullptr;  // [1] of compute_type(x.type), read where the kernel runs
  bool running_mean = false;
  // Instead of the fit: sums becomes how many elements the clamp of each step leaves as they are,
  // and the number of all elements. basis, auxil and iteration are not used.
  bool counts_inside = false;
  // [kSums], overwritten with what basis and auxil would have followed from, both of which stay.
  // Where several processes share a batch, the sum of theirs goes to non_uniform_fit_sums. Null:
  // the fit is that of x alone.
  static constexpr int kSums = 4;
  double* sums = nullptr;
  void* workspace = nullptr;  // cuda only: kWorkspaceBytes, see types.h
};
void non_uniform_fit(Backend backend, const NonUniformFit& args, Stream stream = nullptr);
// The fit that follows from args.sums, which is read; of x only the type is used.
void non_uniform_fit_sums(Backend backend, const NonUniformFit& args, Stream stream = nullptr);

// basis is a constant: no gradient passes through its fit.
struct NonUniformBackward {
  Input x;                                       // [size], as in the forward pass
  Input grad_y;                                  // [size]
  Output grad_x;                                 // [size], of x.type
  void* grad_alpha[NonUniformSteps::kMax] = {};  // steps.count of [groups.count], overwritten
  std::int64_t size = 0;                         // number of elements
  Groups groups;                                 // of x
  NonUniformSteps steps;                         // as in the forward pass
  const void* basis = nullptr;                   // as in the forward pass
  void* workspace = nullptr;                     // cuda only: kWorkspaceBytes, see types.h
};
void non_uniform_backward(Backend backend, const NonUniformBackward& args, Stream stream = nullptr);

}  // namespace lowbit::kernels
