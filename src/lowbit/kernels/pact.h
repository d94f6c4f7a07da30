// PACT (https://arxiv.org/abs/1805.06085) for activations, in the form that math/pact.h states:
// value and straight-through gradients. Its weights are DoReFa's (dorefa.h).
//
// Types, errors, overlap and size 0 are as in lsq.h. NaN in x gives NaN in y, and in grad_clip;
// infinities are clipped like any large value. A clip value of 0 gives NaN (0 / 0).
#pragma once

#include <cstdint>

#include "lowbit/kernels/types.h"

namespace lowbit::kernels {

struct PactForward {
  Input x;                          // [size]
  Output y;                         // [size]
  std::int64_t size = 0;            // number of elements
  const void* clip_val = nullptr;   // [1] of compute_type(x.type)
  const void* level_num = nullptr;  // [1] of compute_type(x.type), read where the kernel runs; >= 2
};
void pact_forward(Backend backend, const PactForward& args, Stream stream = nullptr);

struct PactBackward {
  Input x;                         // [size], as in the forward pass
  Input grad_y;                    // [size]
  Output grad_x;                   // [size], of x.type; 0 where x is clipped or NaN
  void* grad_clip = nullptr;       // [1] of compute_type(x.type), overwritten
  std::int64_t size = 0;           // number of elements
  const void* clip_val = nullptr;  // as in the forward pass
  void* workspace = nullptr;       // cuda only: kWorkspaceBytes, see types.h
};
void pact_backward(Backend backend, const PactBackward& args, Stream stream = nullptr);

}  // namespace lowbit::kernels
