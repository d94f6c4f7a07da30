// How the elements of an array are dealt out to blocks and threads, 16 bytes at a time.
#pragma once

#include <cstdint>

#include "lowbit/kernels/types.h"

namespace lowbit::kernels::cuda {

// W neighboring elements, moved by one or two 16-byte accesses.
template <class T, int W>
struct alignas(sizeof(T) * W < 16 ? sizeof(T) * W : 16) Vector {
  T at[W];
};

template <int W, class T>
__device__ Vector<T, W> load(const T* data) {
  return *reinterpret_cast<const Vector<T, W>*>(data);
}

template <int W, class T>
__device__ void store(T* data, const Vector<T, W>& vector) {
  *reinterpret_cast<Vector<T, W>*>(data) = vector;
}

// A width known to the compiler: for_each_chunk passes it to its body.
template <int W>
struct Width {
  static constexpr int value = W;
};

// The blocks of a launch: `blocks_per_group` work on each group of `per_group` elements.
struct Layout {
  std::int64_t size, per_group, run, period;  // period: from one run of a group to its next
  int blocks_per_group;

  __device__ std::int64_t group() const { return blockIdx.x / blocks_per_group; }
  __device__ int block_in_group() const { return blockIdx.x % blocks_per_group; }

  // The place in memory of element e of a group.
  __device__ std::int64_t place(std::int64_t group, std::int64_t e) const {
    if (run == per_group) return group * run + e;
    return e / run * period + group * run + e % run;
  }
};

// Calls body(i, Width<W>) for this thread's share of its block's group: i is the place in memory of
// W elements. W is N, but 1 for what N leaves over (only ever if there is but one group).
template <int N, class Body>
__device__ void for_each_chunk(const Layout& layout, const Body& body) {
  const std::int64_t group = layout.group();
  const std::int64_t vectors = layout.per_group / N;
  const std::int64_t stride = std::int64_t{blockDim.x} * layout.blocks_per_group;
  const std::int64_t thread = std::int64_t{blockDim.x} * layout.block_in_group() + threadIdx.x;
  for (std::int64_t v = thread; v < vectors; v += stride)
    body(layout.place(group, v * N), Width<N>{});
  if (N > 1 && vectors * N + thread < layout.per_group)
    body(layout.place(group, vectors * N + thread), Width<1>{});
}

}  // namespace lowbit::kernels::cuda
