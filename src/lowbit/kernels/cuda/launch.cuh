// From the arguments of an operator to the type arguments and the shape of a launch.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <initializer_list>

#include "lowbit/kernels/cuda/launch_error.h"
#include "lowbit/kernels/cuda/layout.cuh"
#include "lowbit/kernels/types.h"
#include "lowbit/kernels/visit.h"

namespace lowbit::kernels::cuda {

// The type to compute in.
template <class T>
struct ComputeType {
  using type = float;
};
template <>
struct ComputeType<double> {
  using type = double;
};
template <class T>
using Compute = typename ComputeType<T>::type;

// visit(Type<X>, Type<Y>) for the pairs that check_types lets through.
template <class Visit>
void visit_pair(ScalarType x, ScalarType y, const Visit& visit) {
  if (x == ScalarType::float64) return visit(Type<double>{}, Type<double>{});
  if (x == ScalarType::float16) return visit(Type<__half>{}, Type<__half>{});
  if (x == ScalarType::bfloat16) return visit(Type<__nv_bfloat16>{}, Type<__nv_bfloat16>{});
  if (y == ScalarType::float16) return visit(Type<float>{}, Type<__half>{});
  if (y == ScalarType::bfloat16) return visit(Type<float>{}, Type<__nv_bfloat16>{});
  return visit(Type<float>{}, Type<float>{});
}

// Elements moved at once: 16 bytes of the smaller type.
template <class X, class Y>
inline constexpr int kVectorWidth = 16 / (sizeof(X) < sizeof(Y) ? sizeof(X) : sizeof(Y));

// visit(Width<width>) where every vector of that many elements lies within a run of `run` and on a
// 16-byte boundary, else visit(Width<1>).
template <int width, class Visit>
void visit_width(std::int64_t run, std::initializer_list<const void*> arrays, const Visit& visit) {
  bool fits = run % width == 0;
  for (const void* array : arrays) fits = fits && reinterpret_cast<std::uintptr_t>(array) % 16 == 0;
  if (fits)
    visit(Width<width>{});
  else
    visit(Width<1>{});
}

// The same for groups: what a width leaves over of a single group is no run of its own.
template <int width, class Visit>
void visit_width(const Groups& groups, std::initializer_list<const void*> arrays,
                 const Visit& visit) {
  visit_width<width>(groups.count == 1 ? width : groups.run, arrays, visit);
}

struct Launch {
  Layout layout;
  unsigned blocks, threads;
};

// At most this many blocks work on a group between them: about what an H100 runs at once. A fixed
// number, so that sums do not depend on the device.
inline constexpr std::int64_t kMaxSharedBlocks = 1024;
inline constexpr std::int64_t kThreads = 256;

// A launch over `size` elements, `width` of them at a time.
inline Launch launch_over(std::int64_t size, const Groups& groups, int width) {
  const std::int64_t per_group = size / groups.count;
  const std::int64_t chunks = std::max<std::int64_t>((per_group + width - 1) / width, 1);
  const std::int64_t threads = std::min((chunks + 31) / 32 * 32, kThreads);
  const std::int64_t blocks =
      std::clamp<std::int64_t>((chunks + threads - 1) / threads, 1,
                               std::max<std::int64_t>(kMaxSharedBlocks / groups.count, 1));
  // A single group is one run, whatever its caller calls it.
  const std::int64_t run = groups.count == 1 ? per_group : groups.run;
  return {{size, per_group, run, run * groups.count, static_cast<int>(blocks)},
          static_cast<unsigned>(blocks * groups.count),
          static_cast<unsigned>(threads)};
}

}  // namespace lowbit::kernels::cuda
