// DoReFa's weights (https://arxiv.org/abs/1606.06160), in the form that math/dorefa.h states: value
// and straight-through gradients. Its activations are a formula of the element (formula.h); a
// learned factor after the quantizer (gamma) is the caller's.
//
// Types, errors, overlap and size 0 are as in lsq.h. NaN in x gives NaN in all of y, as
// the elements share a maximum or mean (weights that are all zero give NaN too, 0 / 0); infinities
// are clipped like any large value. CPU and CUDA give the same bits except through tanh, which
// differs by ulps between libraries.
#pragma once

#include <cstdint>

#include "lowbit/kernels/types.h"

namespace lowbit::kernels {

// t = tanh(x);  t = t / (2 max|t|) + 0.5;  y = 2 round(t * n / c) * c / n - 1, n = level_num - 1
struct DorefaWeightForward {
  Input x;                          // [size]
  Output y;                         // [size]
  std::int64_t size = 0;            // number of elements
  const void* level_num = nullptr;  // [1] of compute_type(x.type), read where the kernel runs; >= 2
  double boundary = 1;              // c > 0
  void* workspace = nullptr;        // cuda only: kWorkspaceBytes, see types.h
};
void dorefa_weight_forward(Backend backend, const DorefaWeightForward& args,
                           Stream stream = nullptr);

// The gradient flows through max|t| too; elements that tie for it share its gradient evenly.
struct DorefaWeightBackward {
  Input x;                    // [size], as in the forward pass
  Input grad_y;               // [size]
  Output grad_x;              // [size], of x.type
  std::int64_t size = 0;      // number of elements
  void* workspace = nullptr;  // cuda only: kWorkspaceBytes, see types.h
};
void dorefa_weight_backward(Backend backend, const DorefaWeightBackward& args,
                            Stream stream = nullptr);

// y = sign(x) * mean|x| (keyword wt_bin), sign(0) = +1. Its gradient is that of the identity: there
// is no backward kernel.
struct BinaryWeightForward {
  Input x;                    // [size]
  Output y;                   // [size]
  std::int64_t size = 0;      // number of elements
  void* workspace = nullptr;  // cuda only: kWorkspaceBytes, see types.h
};
void binary_weight_forward(Backend backend, const BinaryWeightForward& args,
                           Stream stream = nullptr);

}  // namespace lowbit::kernels
