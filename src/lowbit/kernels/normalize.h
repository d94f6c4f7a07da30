// Normalization of groups of weights and its inverse, in the form that math/normalize.h states.
//
// Types, errors, overlap and size 0 are as in lsq.h. Groups are stretches of neighbors:
// groups.run * groups.count = size. Statistics are summed in float64. A number that is not finite
// makes its whole group NaN, as do equal elements.
#pragma once

#include <cstdint>

#include "lowbit/kernels/types.h"

namespace lowbit::kernels {

struct NormalizeForward {
  Input x;                    // [size]
  Output y;                   // [size]
  std::int64_t size = 0;      // number of elements
  Groups groups;              // of x
  void* mean = nullptr;       // [groups.count] of compute_type(x.type), overwritten
  void* std = nullptr;        // [groups.count] of compute_type(x.type), overwritten
  void* workspace = nullptr;  // cuda only: kWorkspaceBytes, see types.h
};
void normalize_forward(Backend backend, const NormalizeForward& args, Stream stream = nullptr);

struct NormalizeBackward {
  Input grad_y;               // [size]
  Output grad_x;              // [size]
  std::int64_t size = 0;      // number of elements
  Groups groups;              // as in the forward pass
  const void* std = nullptr;  // [groups.count] of compute_type(grad_x.type)
};
void normalize_backward(Backend backend, const NormalizeBackward& args, Stream stream = nullptr);

struct RestoreForward {
  Input x;                     // [size]
  Output y;                    // [size]
  std::int64_t size = 0;       // number of elements
  Groups groups;               // as where the statistics were taken
  const void* mean = nullptr;  // [groups.count] of compute_type(x.type)
  const void* std = nullptr;   // [groups.count] of compute_type(x.type)
};
void restore_forward(Backend backend, const RestoreForward& args, Stream stream = nullptr);

struct RestoreBackward {
  Input grad_y;               // [size]
  Output grad_x;              // [size]
  std::int64_t size = 0;      // number of elements
  Groups groups;              // as in the forward pass
  const void* std = nullptr;  // [groups.count] of compute_type(grad_x.type)
};
void restore_backward(Backend backend, const RestoreBackward& args, Stream stream = nullptr);

}  // namespace lowbit::kernels
