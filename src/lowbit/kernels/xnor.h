// XNOR, XNOR++ and Bi-Real, in the form that math/xnor.h states: value and masked gradients.
//
// Types, errors, overlap and size 0 are as in lsq.h. NaN in x gives NaN in y: in that element where
// E is 1, else in all that share its E. Infinities count as any large value where E is 1, else they
// make E infinite.
#pragma once

#include <cstdint>

#include "lowbit/kernels/types.h"

namespace lowbit::kernels {

// Which elements of an array of `size` share a mean of |x|, by their places in memory: for every o
// and s < stride those at (o * length + k) * stride + s, k < length. length * stride divides size.
//   none: E is 1                              length = 0
//   weights [O, I, k, k], g groups            length = size / g  stride = 1
//   features [N, C, H, W], over channels      length = C         stride = H * W
//   features, over pixels                     length = H * W     stride = 1
//   features, channels-last, over channels    length = C         stride = 1
//   features, channels-last, over pixels      length = H * W     stride = C
struct Means {
  std::int64_t length = 0;
  std::int64_t stride = 1;
};

enum class XnorMask : std::uint8_t { none, ste, triangle };

struct XnorForward {
  Input x;                      // [size]
  Output y;                     // [size]
  std::int64_t size = 0;        // number of elements
  Means means;                  // of |x|
  const void* gamma = nullptr;  // [size / length] of compute_type(x.type), needs stride 1; null: 1
  void* workspace = nullptr;    // cuda, length > 0: kWorkspaceBytes, see types.h
};
void xnor_forward(Backend backend, const XnorForward& args, Stream stream = nullptr);

struct XnorBackward {
  Input x;                // [size], as in the forward pass
  Input grad_y;           // [size]
  Output grad_x;          // [size], of x.type
  std::int64_t size = 0;  // number of elements
  Means means;            // as in the forward pass
  XnorMask mask = XnorMask::none;
  const void* gamma = nullptr;  // as in the forward pass
  void* grad_gamma = nullptr;   // [size / length] of compute_type(x.type), overwritten; with gamma
  void* workspace = nullptr;    // cuda, with gamma: kWorkspaceBytes, see types.h
};
void xnor_backward(Backend backend, const XnorBackward& args, Stream stream = nullptr);

}  // namespace lowbit::kernels
