#include "lowbit/kernels/cuda/launch.cuh"
#include "lowbit/kernels/cuda/lq.h"
#include "lowbit/kernels/cuda/reduce.cuh"
#include "lowbit/kernels/learn_lq_group.h"
#include "lowbit/kernels/math/lq.h"
#include "lowbit/kernels/visit_lq.h"

namespace lowbit::kernels::cuda {
namespace {

constexpr unsigned kTableThreads = 128;

// One block builds the tables of one group.
template <class T>
__global__ void __launch_bounds__(kTableThreads) build_kernel(LqBuildTables args) {
  __shared__ T by_code[kLqMaxLevels], levels[kLqMaxLevels], unordered[kLqMaxLevels];
  const std::int64_t group = blockIdx.x;
  const int count = args.level_count, thread = threadIdx.x, threads = blockDim.x;
  for (int k = thread; k < count; k += threads)
    by_code[k] = lq_dot(static_cast<const T*>(args.codec_vector) + k * args.bits,
                        static_cast<const T*>(args.basis) + group, args.groups, args.bits);
  __syncthreads();
  for (int k = thread; k < count; k += threads) {
    const int rank = lq_rank(by_code, count, k);
    levels[rank] = by_code[k];
    static_cast<T*>(args.tables.levels)[group * count + rank] = by_code[k];
    args.tables.codes[group * count + rank] = args.codec_index[k];
  }
  __syncthreads();
  for (int i = thread; i < count - 1; i += threads)
    unordered[i] =
        lq_dot(static_cast<const T*>(args.thrs_multiplier) + i * count, levels, 1, count);
  __syncthreads();
  for (int i = thread; i < count - 1; i += threads)
    static_cast<T*>(args.tables.thresholds)[group * (count - 1) + i] =
        lq_lowest_threshold(unordered, count - 1, i);
}

// The tables of this block's group, in shared memory.
template <class T>
struct SharedTables {
  T levels[kLqMaxLevels], thresholds[kLqMaxLevels];
  std::int32_t codes[kLqMaxLevels];

  // Every thread of the block must call it.
  __device__ void load(const LqForward& args, std::int64_t group) {
    const int count = args.level_count;
    for (int k = threadIdx.x; k < count; k += blockDim.x) {
      levels[k] = static_cast<const T*>(args.tables.levels)[group * count + k];
      codes[k] = args.tables.codes[group * count + k];
      if (k < count - 1)
        thresholds[k] = static_cast<const T*>(args.tables.thresholds)[group * (count - 1) + k];
    }
    __syncthreads();
  }
};

// Quantizes this thread's share and calls each(x, position) for its elements.
template <int N, class X, class Y, class Each>
__device__ void quantize_share(const LqForward& args, const Layout& layout,
                               const SharedTables<Compute<X>>& tables, const Each& each) {
  using T = Compute<X>;
  for_each_chunk<N>(layout, [&]<int W>(std::int64_t i, Width<W>) {
    const auto chunk = load<W>(static_cast<const X*>(args.x.data) + i);
    Vector<Y, W> y;
    for (int k = 0; k < W; ++k) {
      const T x = static_cast<T>(chunk.at[k]);
      const int position = lq_position(x, tables.thresholds, args.level_count - 1);
      y.at[k] = static_cast<Y>(lq_value(x, tables.levels, position));
      each(x, position);
    }
    store(static_cast<Y*>(args.y.data) + i, y);
  });
}

template <int N, class X, class Y>
__global__ void __launch_bounds__(kThreads) forward_kernel(LqForward args, Layout layout) {
  __shared__ SharedTables<Compute<X>> tables;
  tables.load(args, layout.group());
  quantize_share<N, X, Y>(args, layout, tables, [](Compute<X>, int) {});
}

// As forward_kernel; the last block of a group learns its basis, which the tables, built before,
// no longer read.
template <int N, int digits, class X, class Y>
__global__ void __launch_bounds__(kThreads) learning_kernel(LqForward args, Layout layout) {
  using T = Compute<X>;
  using Statistics = LqStatistics<digits>;
  __shared__ SharedTables<T> tables;
  const std::int64_t group = layout.group();
  tables.load(args, group);
  Statistics part, all;
  quantize_share<N, X, Y>(args, layout, tables,
                          [&](T x, int position) { part.add(x, tables.codes[position]); });
  auto* workspace = static_cast<WorkspaceOf<sizeof(Statistics)>*>(args.learning.workspace);
  if (group_sum(part, layout, workspace, all))
    learn_or_pass_on<T>(args, group, layout.per_group, all);
}

// A thread for each group.
template <int digits, class T>
__global__ void learn_kernel(LqLearn args) {
  const std::int64_t group = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (group < args.groups) learn_from_sums<T, digits>(args, group);
}

template <int N, class X, class Y>
__global__ void __launch_bounds__(kThreads) backward_kernel(LqBackward args, Layout layout) {
  using T = Compute<X>;
  const T highest = static_cast<const T*>(args.levels)[(layout.group() + 1) * args.level_count - 1];
  for_each_chunk<N>(layout, [&]<int W>(std::int64_t i, Width<W>) {
    const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
    const auto grad_y = load<W>(static_cast<const Y*>(args.grad_y.data) + i);
    Vector<X, W> grad_x;
    for (int k = 0; k < W; ++k)
      grad_x.at[k] = static_cast<X>(
          lq_feature_gradient(static_cast<T>(x.at[k]), static_cast<T>(grad_y.at[k]), highest));
    store(static_cast<X*>(args.grad_x.data) + i, grad_x);
  });
}

}  // namespace

void lq_build_tables(const LqBuildTables& args, Stream stream) {
  const auto blocks = static_cast<unsigned>(args.groups);
  visit_compute_type(args.type, [&]<class T>(Type<T>) {
    build_kernel<T><<<blocks, kTableThreads, 0, static_cast<cudaStream_t>(stream)>>>(args);
  });
  check_launch("lq_build_tables");
}

void lq_forward(const LqForward& args, Stream stream) {
  const auto cuda_stream = static_cast<cudaStream_t>(stream);
  visit_pair(args.x.type, args.y.type, [&]<class X, class Y>(Type<X>, Type<Y>) {
    visit_width<kVectorWidth<X, Y>>(args.groups, {args.x.data, args.y.data}, [&]<int N>(Width<N>) {
      const Launch launch = launch_over(args.size, args.groups, N);
      if (args.learning.basis == nullptr)
        return forward_kernel<N, X, Y>
            <<<launch.blocks, launch.threads, 0, cuda_stream>>>(args, launch.layout);
      visit_lq_digits(args.learning.bits, [&]<int digits>(std::integral_constant<int, digits>) {
        learning_kernel<N, digits, X, Y>
            <<<launch.blocks, launch.threads, 0, cuda_stream>>>(args, launch.layout);
      });
    });
  });
  check_launch("lq_forward");
}

void lq_learn(const LqLearn& args, Stream stream) {
  const auto blocks = static_cast<unsigned>((args.groups + kTableThreads - 1) / kTableThreads);
  visit_compute_type(args.type, [&]<class T>(Type<T>) {
    visit_lq_digits(args.learning.bits, [&]<int digits>(std::integral_constant<int, digits>) {
      learn_kernel<digits, T>
          <<<blocks, kTableThreads, 0, static_cast<cudaStream_t>(stream)>>>(args);
    });
  });
  check_launch("lq_learn");
}

void lq_backward(const LqBackward& args, Stream stream) {
  visit_pair(args.x.type, args.grad_y.type, [&]<class X, class Y>(Type<X>, Type<Y>) {
    visit_width<kVectorWidth<X, Y>>(
        args.groups, {args.x.data, args.grad_y.data, args.grad_x.data}, [&]<int N>(Width<N>) {
          const Launch launch = launch_over(args.size, args.groups, N);
          backward_kernel<N, X, Y>
              <<<launch.blocks, launch.threads, 0, static_cast<cudaStream_t>(stream)>>>(
                  args, launch.layout);
        });
  });
  check_launch("lq_backward");
}

}  // namespace lowbit::kernels::cuda
