// Sums over a block and over the blocks of a launch, always in the same order.
//
// A summand S is a struct of 4- and 8-byte numbers; S{} is neutral, S::add adds another to it.
#pragma once

#include <cstdint>
#include <cstring>

#include "lowbit/kernels/cuda/launch.cuh"
#include "lowbit/kernels/types.h"

namespace lowbit::kernels::cuda {

struct Sum {
  double value = 0;
  __device__ void add(const Sum& other) { value += other.value; }
};

// What lies in the workspace, for summands of up to `part_bytes`. Tickets and `gathering` are zero
// between launches.
template <std::size_t part_bytes>
struct WorkspaceOf {
  static constexpr std::size_t kPartBytes = part_bytes;

  unsigned tickets[kMaxSharedBlocks];
  unsigned long long gathering, gathered;  // of a count
  alignas(16) unsigned char parts[kMaxSharedBlocks * kPartBytes];
};

using Workspace = WorkspaceOf<24>;
static_assert(sizeof(Workspace) <= kWorkspaceBytes);

// `part` of the lane `offset` further up.
template <class S>
__device__ S from_lane_above(const S& part, int offset) {
  static_assert(sizeof(S) % 4 == 0);
  std::uint32_t words[sizeof(S) / 4];
  std::memcpy(words, &part, sizeof(S));
  for (std::uint32_t& word : words) word = __shfl_down_sync(0xffffffffu, word, offset);
  S result;
  std::memcpy(&result, words, sizeof(S));
  return result;
}

// The sum over the threads of the block, in thread 0. Every thread must call it; blockDim.x is a
// multiple of 32.
template <class S>
__device__ S block_sum(S part) {
  __shared__ alignas(16) unsigned char memory[32 * sizeof(S)];
  S* warps = reinterpret_cast<S*>(memory);
  for (int offset = 16; offset > 0; offset /= 2) part.add(from_lane_above(part, offset));
  __syncthreads();  // the memory may still be read from the call before
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = part;
  __syncthreads();
  if (threadIdx.x >= 32) return part;
  part = threadIdx.x < blockDim.x / 32 ? warps[threadIdx.x] : S{};
  for (int offset = 16; offset > 0; offset /= 2) part.add(from_lane_above(part, offset));
  return part;
}

// Whether this block is the last of `blocks` to arrive here; what the others wrote before is then
// visible. Leaves the ticket at zero.
__device__ inline bool arrives_last(unsigned* ticket, unsigned blocks) {
  __shared__ bool last;
  if (threadIdx.x == 0) {
    __threadfence();
    last = atomicInc(ticket, blocks - 1) == blocks - 1;
    __threadfence();
  }
  __syncthreads();
  return last;
}

// The sum over all threads of all blocks of this block's group. True in one thread of the group
// only: the one that has it in `total`.
template <class S, std::size_t part_bytes>
__device__ bool group_sum(const S& part, const Layout& layout, WorkspaceOf<part_bytes>* workspace,
                          S& total) {
  static_assert(sizeof(S) <= part_bytes);
  static_assert(part_bytes <= 24 || sizeof(*workspace) <= workspace_bytes(part_bytes));
  total = block_sum(part);
  if (layout.blocks_per_group == 1) return threadIdx.x == 0;
  // No more than kMaxSharedBlocks blocks come here, as groups that share blocks are few.
  S* parts = reinterpret_cast<S*>(workspace->parts) + layout.group() * layout.blocks_per_group;
  if (threadIdx.x == 0) parts[layout.block_in_group()] = total;
  if (!arrives_last(workspace->tickets + layout.group(), layout.blocks_per_group)) return false;
  S sum;
  for (int block = threadIdx.x; block < layout.blocks_per_group; block += blockDim.x)
    sum.add(parts[block]);
  total = block_sum(sum);
  return threadIdx.x == 0;
}

}  // namespace lowbit::kernels::cuda
