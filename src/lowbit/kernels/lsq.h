// LSQ, learned step size quantization (https://arxiv.org/abs/1902.08153), in the form that
// math/lsq.h states: value and straight-through gradients.
//
// Types of x and y (forward), of x and grad_y (backward); grad_x has the type of x:
//   float64 -> float64, float32 -> float32                                     every back end
//   float32 -> float16 or bfloat16, float16 -> float16, bfloat16 -> bfloat16   cuda
// Arrays must not overlap. A wrong argument (a null pointer, groups that do not divide the size, a
// pair of types not above) is an Error (usage), CUDA asked of a build without it an Error
// (failure). size 0 is allowed.
//
// NaN in x gives NaN in y, and in grad_clip; infinities are clipped like any large value.
#pragma once

#include <cstdint>

#include "lowbit/kernels/types.h"

namespace lowbit::kernels {

enum class LsqRange : std::uint8_t {
  half,       // levels 0 .. c
  full,       // levels -c .. c in level_num - 1 steps: zero is a level only if level_num is odd
  symmetric,  // levels -c .. c in level_num - 2 steps: zero is a level; level_num > 2
};

struct LsqForward {
  Input x;                          // [size]
  Output y;                         // [size]
  std::int64_t size = 0;            // number of elements
  Groups groups;                    // of x
  const void* clip_val = nullptr;   // [groups.count] of compute_type(x.type); |clip_val| is used
  const void* level_num = nullptr;  // [1] of compute_type(x.type), read where the kernel runs; >= 2
  LsqRange range = LsqRange::half;
};
void lsq_forward(Backend backend, const LsqForward& args, Stream stream = nullptr);

struct LsqBackward {
  Input x;                          // [size], as in the forward pass
  Input grad_y;                     // [size]
  Output grad_x;                    // [size], of x.type; 0 where x is clipped or NaN
  void* grad_clip = nullptr;        // [groups.count] of compute_type(x.type), overwritten
  std::int64_t size = 0;            // number of elements
  Groups groups;                    // of x
  const void* clip_val = nullptr;   // as in the forward pass
  const void* level_num = nullptr;  // as in the forward pass
  LsqRange range = LsqRange::half;
  double grad_scale = 1;   // s of gradscale(|clip_val|, s); the rule of math/gradscale.h is applied
  bool ste_scale = false;  // the clamp's gradient times gradscale(sqrt(size / number inside))
  // ste_scale: [2] double, size and number inside of a batch that x is only a part of; null: of x.
  const double* counted = nullptr;
  void* workspace = nullptr;  // cuda only: kWorkspaceBytes, see types.h
};
void lsq_backward(Backend backend, const LsqBackward& args, Stream stream = nullptr);

// What LsqBackward::counted is of x alone; that of several parts is their sum.
struct LsqCountInside {
  Input x;                          // [size]
  std::int64_t size = 0;            // number of elements
  Groups groups;                    // of x
  const void* clip_val = nullptr;   // as in the forward pass
  const void* level_num = nullptr;  // as in the forward pass
  LsqRange range = LsqRange::half;
  double* counted = nullptr;  // [2], overwritten
  void* workspace = nullptr;  // cuda only: kWorkspaceBytes, see types.h
};
void lsq_count_inside(Backend backend, const LsqCountInside& args, Stream stream = nullptr);

}  // namespace lowbit::kernels
