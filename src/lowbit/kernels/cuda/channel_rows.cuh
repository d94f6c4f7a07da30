// Channels-last features [rows, channels] dealt out so that a thread keeps its channels: what a
// channel needs is read once, and sums over the rows are made in registers.
//
// A block has `tile` vectors of channels next to each other, 128 bytes where there are that many,
// and goes through every gridDim.x-th group of `lanes` rows. blockIdx.y: the tile.
#pragma once

#include "lowbit/kernels/cuda/reduce.cuh"
#include "lowbit/kernels/cuda/vectors.cuh"

namespace lowbit::kernels::cuda {

inline constexpr int kRowThreads = 256;
// A fixed number, so that sums do not depend on the device: that many on each of the 132
// multiprocessors of an H100 at once, whose loads and arithmetic then overlap.
constexpr int row_blocks(int on_each) {
  return 132 * on_each;
}
inline constexpr int kMostRowBlocks = row_blocks(4);
// Sums of so many blocks are added by one of them, and those of all groups by another.
inline constexpr int kBlockGroup = 16;
inline constexpr int kTileVectors = 8;
// Sums that the threads of a block make: two for each channel of a tile.
inline constexpr int kMostColumns = kTileVectors * 2 * 8;

struct ChannelRows {
  std::int64_t rows;
  int vectors, tile, lanes;

  __device__ int lane() const { return threadIdx.x / tile; }
  __device__ int vector_in_tile() const { return threadIdx.x % tile; }
  __device__ int vector() const { return blockIdx.y * tile + vector_in_tile(); }
  // Whether this thread has rows at all.
  __device__ bool works() const { return lane() < lanes && vector() < vectors; }
};

struct RowLaunch {
  ChannelRows rows;
  dim3 blocks;
};

// width: channels of a vector; most: blocks, kMostRowBlocks or fewer; at_once: rows of which a
// thread has the loads in flight together.
inline RowLaunch launch_over_rows(std::int64_t rows, std::int64_t channels, std::int64_t width,
                                  int most, int at_once) {
  const int vectors = static_cast<int>(channels / width);
  const int tile = std::min(vectors, kTileVectors), lanes = kRowThreads / tile;
  const int tiles = (vectors + tile - 1) / tile;
  const std::int64_t passes = (rows + lanes * at_once - 1) / (lanes * at_once);
  const auto blocks = std::min<std::int64_t>(passes, std::max(most / tiles, 1));
  return {{rows, vectors, tile, lanes},
          {static_cast<unsigned>(blocks), static_cast<unsigned>(tiles)}};
}

// Calls use(i, load(i)) for the rows of this thread, i being the place in memory of its W channels,
// with the loads of `at_once` rows before their uses. backward: from the last row on.
template <int W, int at_once, bool backward, class Load, class Use>
__device__ void for_each_row(const ChannelRows& all, const Load& load, const Use& use) {
  if (!all.works()) return;
  const std::int64_t stride = std::int64_t{gridDim.x} * all.lanes;
  const std::int64_t channels = std::int64_t{all.vectors} * W;
  const auto place = [&](std::int64_t row) {
    return (backward ? all.rows - 1 - row : row) * channels + all.vector() * W;
  };
  for (std::int64_t first = std::int64_t{blockIdx.x} * all.lanes + all.lane(); first < all.rows;
       first += at_once * stride) {
    decltype(load(first)) loaded[at_once];
#pragma unroll
    for (int k = 0; k < at_once; ++k)
      if (first + k * stride < all.rows) loaded[k] = load(place(first + k * stride));
#pragma unroll
    for (int k = 0; k < at_once; ++k)
      if (first + k * stride < all.rows) use(place(first + k * stride), loaded[k]);
  }
}

inline constexpr int kMostTiles = 256;
inline constexpr int kMostBlockGroups = kMostRowBlocks / kBlockGroup + kMostTiles;

// Tickets are zero between launches.
struct RowWorkspace {
  unsigned group_tickets[kMostBlockGroups], tile_tickets[kMostTiles], launch_ticket;
  double scalars[kMostRowBlocks];  // a sum of each block
  double parts[kMostRowBlocks * kMostColumns], group_parts[kMostBlockGroups * kMostColumns];
};

// The sums over first <= i < count, step by step, of part(i, column), for each of `columns`
// columns; in `sums` when all threads have returned. Every thread of the block must call it.
template <class Part>
__device__ void sum_columns(int count, int columns, const Part& part, double* sums) {
  __shared__ double shares[kRowThreads];
  const int sharers = kRowThreads / columns;
  const int column = threadIdx.x % columns, share = threadIdx.x / columns;
  if (share < sharers) {
    double sum = 0;
    for (int i = share; i < count; i += sharers) sum += part(i, column);
    shares[threadIdx.x] = sum;
  }
  __syncthreads();
  if (threadIdx.x < columns) {
    double sum = 0;
    for (int i = 0; i < sharers; ++i) sum += shares[i * columns + threadIdx.x];
    sums[threadIdx.x] = sum;
  }
  __syncthreads();
}

// Sums `a` and `b`, of each thread's channels, over the rows of all blocks. True in the threads of
// one block for each tile: there sums[v * 2 * W + k] is the sum of `a` of channel k of the tile's
// vector v, and sums[v * 2 * W + W + k] that of `b`.
template <int W>
__device__ bool sum_rows(const ChannelRows& all, const float (&a)[W], const float (&b)[W],
                         RowWorkspace* workspace, double (&sums)[kMostColumns]) {
  __shared__ float own[kRowThreads * 2 * W];
  for (int k = 0; k < W; ++k) {
    own[threadIdx.x * 2 * W + k] = a[k];
    own[threadIdx.x * 2 * W + W + k] = b[k];
  }
  __syncthreads();
  const int columns = all.tile * 2 * W;
  sum_columns(
      all.lanes, columns,
      [&](int lane, int column) { return static_cast<double>(own[lane * columns + column]); },
      sums);
  // Leaves the sums of this block, or group of blocks, in parts[place]; true in the last of `count`
  // to come, which then has the sums of all of them, from parts[first] on.
  const auto add_up = [&](double* parts, unsigned* ticket, int place, int first, int count) {
    if (count == 1) return true;
    if (threadIdx.x < columns) {
      parts[place * columns + threadIdx.x] = sums[threadIdx.x];
      __threadfence();
    }
    __syncthreads();
    if (!arrives_last(ticket, count)) return false;
    sum_columns(
        count, columns,
        [&](int i, int column) { return __ldcg(parts + (first + i) * columns + column); }, sums);
    return true;
  };
  const int blocks = gridDim.x, block = blockIdx.x, tile = blockIdx.y;
  const int groups = (blocks + kBlockGroup - 1) / kBlockGroup, group = block / kBlockGroup;
  const int in_group = min(kBlockGroup, blocks - group * kBlockGroup);
  const int first = tile * blocks + group * kBlockGroup;
  return add_up(workspace->parts, workspace->group_tickets + tile * groups + group,
                tile * blocks + block, first, in_group) &&
         add_up(workspace->group_parts, workspace->tile_tickets + tile, tile * groups + group,
                tile * groups, groups);
}

// The sum of `value` over all threads of the launch. True in one thread: the one that has it in
// `total`.
__device__ inline bool sum_launch(double value, RowWorkspace* workspace, double& total) {
  Sum own;
  own.value = value;
  const Sum block = block_sum(own);
  const unsigned blocks = gridDim.x * gridDim.y;
  if (threadIdx.x == 0) workspace->scalars[blockIdx.y * gridDim.x + blockIdx.x] = block.value;
  if (!arrives_last(&workspace->launch_ticket, blocks)) return false;
  Sum sum;
  for (unsigned i = threadIdx.x; i < blocks; i += blockDim.x)
    sum.value += __ldcg(workspace->scalars + i);
  total = block_sum(sum).value;
  return threadIdx.x == 0;
}

}  // namespace lowbit::kernels::cuda
