#include "lowbit/kernels/cuda/dorefa.h"
#include "lowbit/kernels/cuda/launch.cuh"
#include "lowbit/kernels/cuda/reduce.cuh"
#include "lowbit/kernels/math/dorefa.h"

namespace lowbit::kernels::cuda {
namespace {

// Weights up to this size are reduced and mapped by one block in one launch: for them a second
// launch costs more than the other multiprocessors save.
constexpr std::int64_t kOneBlockSize = 1 << 14;
constexpr unsigned kOneBlockThreads = 1024;

// An operator over a whole array, as what follows from its arguments on the device:
//   apply<W>(i)                y of the W elements at i
// and for those that need something of the whole array first:
//   Summand                    that something, see reduce.cuh
//   gather<W>(i, summand)      adds the W elements at i to it
//   apply<W>(i, summand)       as above
template <class X, class Y>
struct ActivationForward {
  DorefaActivationForward args;
  using T = Compute<X>;

  template <int W>
  __device__ void apply(std::int64_t i) const {
    const DorefaActivation<T> dorefa{static_cast<T>(args.boundary),
                                     *static_cast<const T*>(args.level_num) - 1};
    const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
    Vector<Y, W> y;
    for (int k = 0; k < W; ++k) y.at[k] = static_cast<Y>(dorefa.value(static_cast<T>(x.at[k])));
    store(static_cast<Y*>(args.y.data) + i, y);
  }
};

template <class X, class Y>
struct ActivationBackward {
  DorefaActivationBackward args;
  using T = Compute<X>;

  template <int W>
  __device__ void apply(std::int64_t i) const {
    const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
    const auto grad_y = load<W>(static_cast<const Y*>(args.grad_y.data) + i);
    Vector<X, W> grad_x;
    for (int k = 0; k < W; ++k)
      grad_x.at[k] = static_cast<X>(dorefa_activation_gradient(
          static_cast<T>(x.at[k]), static_cast<T>(grad_y.at[k]), static_cast<T>(args.boundary)));
    store(static_cast<X*>(args.grad_x.data) + i, grad_x);
  }
};

template <class T>
struct Maximum {
  T value = 0;
  __device__ void add(const Maximum& other) { value = nan_max(value, other.value); }
};

template <class X, class Y>
struct WeightForward {
  DorefaWeightForward args;
  using T = Compute<X>;
  using Summand = Maximum<T>;

  template <int W>
  __device__ void gather(std::int64_t i, Summand& maximum) const {
    const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
    for (int k = 0; k < W; ++k)
      maximum.add({absolute(hyperbolic_tangent(static_cast<T>(x.at[k])))});
  }

  template <int W>
  __device__ void apply(std::int64_t i, const Summand& maximum) const {
    const DorefaWeight<T> dorefa{static_cast<T>(args.boundary),
                                 *static_cast<const T*>(args.level_num) - 1, maximum.value};
    const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
    Vector<Y, W> y;
    for (int k = 0; k < W; ++k)
      y.at[k] = static_cast<Y>(dorefa.value(hyperbolic_tangent(static_cast<T>(x.at[k]))));
    store(static_cast<Y*>(args.y.data) + i, y);
  }
};

template <class X, class Y>
struct WeightBackward {
  DorefaWeightBackward args;
  using T = Compute<X>;
  using Summand = DorefaWeightStatistics<T>;

  template <int W>
  __device__ void gather(std::int64_t i, Summand& statistics) const {
    const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
    const auto grad_y = load<W>(static_cast<const Y*>(args.grad_y.data) + i);
    for (int k = 0; k < W; ++k)
      statistics.add(hyperbolic_tangent(static_cast<T>(x.at[k])), static_cast<T>(grad_y.at[k]));
  }

  template <int W>
  __device__ void apply(std::int64_t i, const Summand& statistics) const {
    const DorefaWeightGradient<T> dorefa(statistics);
    const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
    const auto grad_y = load<W>(static_cast<const Y*>(args.grad_y.data) + i);
    Vector<X, W> grad_x;
    for (int k = 0; k < W; ++k)
      grad_x.at[k] = static_cast<X>(dorefa.gradient(hyperbolic_tangent(static_cast<T>(x.at[k])),
                                                    static_cast<T>(grad_y.at[k])));
    store(static_cast<X*>(args.grad_x.data) + i, grad_x);
  }
};

template <class X, class Y>
struct BinaryForward {
  BinaryWeightForward args;
  using T = Compute<X>;
  using Summand = Sum;

  template <int W>
  __device__ void gather(std::int64_t i, Summand& sum) const {
    const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
    for (int k = 0; k < W; ++k) sum.value += static_cast<double>(absolute(static_cast<T>(x.at[k])));
  }

  template <int W>
  __device__ void apply(std::int64_t i, const Summand& sum) const {
    const T mean = static_cast<T>(sum.value / static_cast<double>(args.size));
    const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
    Vector<Y, W> y;
    for (int k = 0; k < W; ++k)
      y.at[k] = static_cast<Y>(binary_weight(static_cast<T>(x.at[k]), mean));
    store(static_cast<Y*>(args.y.data) + i, y);
  }
};

template <int N, class Op>
__global__ void __launch_bounds__(kThreads) map_kernel(Op op, Layout layout) {
  for_each_chunk<N>(layout, [&]<int W>(std::int64_t i, Width<W>) { op.template apply<W>(i); });
}

template <int N, class Op>
__device__ typename Op::Summand gather_share(const Op& op, const Layout& layout) {
  typename Op::Summand part;
  for_each_chunk<N>(layout,
                    [&]<int W>(std::int64_t i, Width<W>) { op.template gather<W>(i, part); });
  return part;
}

template <int N, class Op>
__device__ void apply_share(const Op& op, const Layout& layout, const typename Op::Summand& total) {
  for_each_chunk<N>(layout,
                    [&]<int W>(std::int64_t i, Width<W>) { op.template apply<W>(i, total); });
}

template <int N, class Op>
__global__ void __launch_bounds__(kOneBlockThreads) one_block_kernel(Op op, Layout layout) {
  using Summand = typename Op::Summand;
  __shared__ alignas(16) unsigned char memory[sizeof(Summand)];
  auto* total = reinterpret_cast<Summand*>(memory);
  const Summand sum = block_sum(gather_share<N>(op, layout));
  if (threadIdx.x == 0) *total = sum;
  __syncthreads();
  apply_share<N>(op, layout, *total);
}

template <int N, class Op>
__global__ void __launch_bounds__(kThreads) gather_kernel(Op op, Layout layout) {
  using Summand = typename Op::Summand;
  auto* workspace = static_cast<Workspace*>(op.args.workspace);
  Summand total;
  if (group_sum(gather_share<N>(op, layout), layout, workspace, total))
    *reinterpret_cast<Summand*>(workspace->total) = total;
}

template <int N, class Op>
__global__ void __launch_bounds__(kThreads) apply_kernel(Op op, Layout layout) {
  const auto* workspace = static_cast<const Workspace*>(op.args.workspace);
  apply_share<N>(op, layout, *reinterpret_cast<const typename Op::Summand*>(workspace->total));
}

template <int N, class Op>
void launch_map(const Op& op, cudaStream_t stream) {
  const Launch launch = launch_over(op.args.size, {op.args.size, 1}, N);
  map_kernel<N><<<launch.blocks, launch.threads, 0, stream>>>(op, launch.layout);
}

template <int N, class Op>
void launch_whole(const Op& op, cudaStream_t stream) {
  Launch launch = launch_over(op.args.size, {op.args.size, 1}, N);
  if (op.args.size <= kOneBlockSize) {
    launch.layout.blocks_per_group = 1;
    one_block_kernel<N><<<1, kOneBlockThreads, 0, stream>>>(op, launch.layout);
  } else {
    gather_kernel<N><<<launch.blocks, launch.threads, 0, stream>>>(op, launch.layout);
    apply_kernel<N><<<launch.blocks, launch.threads, 0, stream>>>(op, launch.layout);
  }
}

// Calls launch(Op<X, Y>{args}, Width<N>) for the types and the alignment of the arrays.
template <template <class, class> class Op, class Args, class LaunchOp>
void visit_op(const Args& args, ScalarType y_type, std::initializer_list<const void*> arrays,
              const LaunchOp& launch) {
  visit_pair(args.x.type, y_type, [&]<class X, class Y>(Type<X>, Type<Y>) {
    visit_width<kVectorWidth<X, Y>>({args.size, 1}, arrays,
                                    [&]<int N>(Width<N> width) { launch(Op<X, Y>{args}, width); });
  });
}

}  // namespace

void dorefa_activation_forward(const DorefaActivationForward& args, Stream stream) {
  visit_op<ActivationForward>(args, args.y.type, {args.x.data, args.y.data},
                              [&]<int N>(const auto& op, Width<N>) {
                                launch_map<N>(op, static_cast<cudaStream_t>(stream));
                              });
  check_launch("dorefa_activation_forward");
}

void dorefa_activation_backward(const DorefaActivationBackward& args, Stream stream) {
  visit_op<ActivationBackward>(args, args.grad_y.type,
                               {args.x.data, args.grad_y.data, args.grad_x.data},
                               [&]<int N>(const auto& op, Width<N>) {
                                 launch_map<N>(op, static_cast<cudaStream_t>(stream));
                               });
  check_launch("dorefa_activation_backward");
}

void dorefa_weight_forward(const DorefaWeightForward& args, Stream stream) {
  visit_op<WeightForward>(args, args.y.type, {args.x.data, args.y.data},
                          [&]<int N>(const auto& op, Width<N>) {
                            launch_whole<N>(op, static_cast<cudaStream_t>(stream));
                          });
  check_launch("dorefa_weight_forward");
}

void dorefa_weight_backward(const DorefaWeightBackward& args, Stream stream) {
  visit_op<WeightBackward>(args, args.grad_y.type,
                           {args.x.data, args.grad_y.data, args.grad_x.data},
                           [&]<int N>(const auto& op, Width<N>) {
                             launch_whole<N>(op, static_cast<cudaStream_t>(stream));
                           });
  check_launch("dorefa_weight_backward");
}

void binary_weight_forward(const BinaryWeightForward& args, Stream stream) {
  visit_op<BinaryForward>(args, args.y.type, {args.x.data, args.y.data},
                          [&]<int N>(const auto& op, Width<N>) {
                            launch_whole<N>(op, static_cast<cudaStream_t>(stream));
                          });
  check_launch("binary_weight_forward");
}

}  // namespace lowbit::kernels::cuda
