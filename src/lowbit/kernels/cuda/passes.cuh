// Operators over arrays in one pass, or in two: something is gathered from each group, then every
// element is mapped with it.
//
// An operator is what follows from its arguments on the device:
//   args                              with args.size
//   apply<W>(i, group)                y of the W elements at i
// and for those that need something of the whole group first:
//   args.workspace
//   Summand                           that something, see reduce.cuh
//   gather<W>(i, group, summand)      adds the W elements at i to it
//   apply<W>(i, group, summand)       as above
//   publish(group, summand)           where the operator has it: called once for each group
#pragma once

#include "lowbit/kernels/cuda/launch.cuh"
#include "lowbit/kernels/cuda/reduce.cuh"

namespace lowbit::kernels::cuda {

// Groups up to this size are gathered and mapped by one block in one launch: for them a second
// launch costs more than the other multiprocessors save.
inline constexpr std::int64_t kOneBlockSize = 1 << 14;
inline constexpr std::int64_t kOneBlockThreads = 1024;

template <int N, class Op>
__global__ void __launch_bounds__(kThreads) map_kernel(Op op, Layout layout) {
  const std::int64_t group = layout.group();
  for_each_chunk<N>(layout,
                    [&]<int W>(std::int64_t i, Width<W>) { op.template apply<W>(i, group); });
}

template <int N, class Op>
__device__ typename Op::Summand gather_share(const Op& op, const Layout& layout) {
  typename Op::Summand part;
  const std::int64_t group = layout.group();
  for_each_chunk<N>(
      layout, [&]<int W>(std::int64_t i, Width<W>) { op.template gather<W>(i, group, part); });
  return part;
}

template <int N, class Op>
__device__ void apply_share(const Op& op, const Layout& layout, const typename Op::Summand& total) {
  const std::int64_t group = layout.group();
  for_each_chunk<N>(
      layout, [&]<int W>(std::int64_t i, Width<W>) { op.template apply<W>(i, group, total); });
}

template <class Op>
__device__ void publish(const Op& op, std::int64_t group, const typename Op::Summand& total) {
  if constexpr (requires { op.publish(group, total); }) op.publish(group, total);
}

template <int N, class Op>
__global__ void __launch_bounds__(kOneBlockThreads) one_block_kernel(Op op, Layout layout) {
  using Summand = typename Op::Summand;
  __shared__ alignas(16) unsigned char memory[sizeof(Summand)];
  auto* total = reinterpret_cast<Summand*>(memory);
  const Summand sum = block_sum(gather_share<N>(op, layout));
  if (threadIdx.x == 0) {
    *total = sum;
    publish(op, layout.group(), sum);
  }
  __syncthreads();
  apply_share<N>(op, layout, *total);
}

// The total of a group takes the place of its first part.
template <class Summand>
__device__ Summand* total_of(void* workspace, const Layout& layout) {
  return reinterpret_cast<Summand*>(static_cast<Workspace*>(workspace)->parts) +
         layout.group() * layout.blocks_per_group;
}

template <int N, class Op>
__global__ void __launch_bounds__(kThreads) gather_kernel(Op op, Layout layout) {
  using Summand = typename Op::Summand;
  Summand total;
  if (!group_sum(gather_share<N>(op, layout), layout, static_cast<Workspace*>(op.args.workspace),
                 total))
    return;
  *total_of<Summand>(op.args.workspace, layout) = total;
  publish(op, layout.group(), total);
}

template <int N, class Op>
__global__ void __launch_bounds__(kThreads) apply_kernel(Op op, Layout layout) {
  apply_share<N>(op, layout, *total_of<typename Op::Summand>(op.args.workspace, layout));
}

template <int N, class Op>
void launch_map(const Op& op, const Groups& groups, cudaStream_t stream) {
  const Launch launch = launch_over(op.args.size, groups, N);
  map_kernel<N><<<launch.blocks, launch.threads, 0, stream>>>(op, launch.layout);
}

template <int N, class Op>
void launch_gather_and_apply(const Op& op, const Groups& groups, cudaStream_t stream) {
  Launch launch = launch_over(op.args.size, groups, N);
  const std::int64_t per_group = launch.layout.per_group, chunks = (per_group + N - 1) / N;
  if (per_group <= kOneBlockSize || launch.layout.blocks_per_group == 1) {
    launch.layout.blocks_per_group = 1;
    const auto blocks = static_cast<unsigned>(groups.count);
    const auto threads = static_cast<unsigned>(std::min((chunks + 31) / 32 * 32, kOneBlockThreads));
    one_block_kernel<N><<<blocks, threads, 0, stream>>>(op, launch.layout);
  } else {
    gather_kernel<N><<<launch.blocks, launch.threads, 0, stream>>>(op, launch.layout);
    apply_kernel<N><<<launch.blocks, launch.threads, 0, stream>>>(op, launch.layout);
  }
}

// Calls launch(Op<X, Y>{args}, Width<N>) for the types and the alignment of the arrays.
template <template <class, class> class Op, class Args, class LaunchOp>
void visit_op(const Args& args, ScalarType x, ScalarType y, const Groups& groups,
              std::initializer_list<const void*> arrays, const LaunchOp& launch) {
  visit_pair(x, y, [&]<class X, class Y>(Type<X>, Type<Y>) {
    visit_width<kVectorWidth<X, Y>>(groups, arrays,
                                    [&]<int N>(Width<N> width) { launch(Op<X, Y>{args}, width); });
  });
}

// Runs the operator Op<X, Y>{args} in one pass. `x`, `y`: its types; `arrays`: all that it moves
// elements of.
template <template <class, class> class Op, class Args>
void map(const Args& args, ScalarType x, ScalarType y, const Groups& groups,
         std::initializer_list<const void*> arrays, Stream stream) {
  visit_op<Op>(args, x, y, groups, arrays, [&]<int N>(const auto& op, Width<N>) {
    launch_map<N>(op, groups, static_cast<cudaStream_t>(stream));
  });
}

// The same for an operator in two passes.
template <template <class, class> class Op, class Args>
void gather_and_apply(const Args& args, ScalarType x, ScalarType y, const Groups& groups,
                      std::initializer_list<const void*> arrays, Stream stream) {
  visit_op<Op>(args, x, y, groups, arrays, [&]<int N>(const auto& op, Width<N>) {
    launch_gather_and_apply<N>(op, groups, static_cast<cudaStream_t>(stream));
  });
}

}  // namespace lowbit::kernels::cuda
