#include "lowbit/kernels/cuda/launch.cuh"
#include "lowbit/kernels/cuda/lsq.h"
#include "lowbit/kernels/cuda/reduce.cuh"
#include "lowbit/kernels/math/gradscale.h"
#include "lowbit/kernels/math/lsq.h"

namespace lowbit::kernels::cuda {
namespace {

// The quantizer of this block's group.
template <class Grid, class T, class Args>
__device__ Lsq<Grid, T> quantizer(const Args& args, const Layout& layout) {
  return {static_cast<const T*>(args.clip_val)[layout.group()],
          *static_cast<const T*>(args.level_num)};
}

template <int N, class Grid, class X, class Y>
__global__ void __launch_bounds__(kThreads) forward_kernel(LsqForward args, Layout layout) {
  using T = Compute<X>;
  const auto lsq = quantizer<Grid, T>(args, layout);
  for_each_chunk<N>(layout, [&]<int W>(std::int64_t i, Width<W>) {
    const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
    Vector<Y, W> y;
    for (int k = 0; k < W; ++k) y.at[k] = static_cast<Y>(lsq.value(static_cast<T>(x.at[k])));
    store(static_cast<Y*>(args.y.data) + i, y);
  });
}

// Counts the elements inside the clamp into workspace->gathered, and into args.counted if given.
template <int N, class Grid, class X>
__global__ void __launch_bounds__(kThreads) inside_kernel(LsqCountInside args, Layout layout) {
  using T = Compute<X>;
  const auto lsq = quantizer<Grid, T>(args, layout);
  Sum inside;
  for_each_chunk<N>(layout, [&]<int W>(std::int64_t i, Width<W>) {
    const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
    int count = 0;
    for (int k = 0; k < W; ++k) count += lsq.inside(static_cast<T>(x.at[k]));
    inside.value += count;
  });
  auto* workspace = static_cast<Workspace*>(args.workspace);
  const Sum block = block_sum(inside);
  // Whole numbers: the order of their sum does not matter.
  if (threadIdx.x == 0)
    atomicAdd(&workspace->gathering, static_cast<unsigned long long>(block.value));
  if (!arrives_last(workspace->tickets, gridDim.x) || threadIdx.x != 0) return;
  workspace->gathered = atomicExch(&workspace->gathering, 0ull);
  if (args.counted == nullptr) return;
  args.counted[0] = static_cast<double>(args.size);
  args.counted[1] = static_cast<double>(workspace->gathered);
}

// k of math/lsq.h.
template <class T>
__device__ T clamp_scale(const LsqBackward& args, const Workspace& workspace) {
  const bool given = args.counted != nullptr;
  return static_cast<T>(
      ste_scale_factor(given ? static_cast<std::int64_t>(args.counted[0]) : args.size,
                       static_cast<std::int64_t>(given ? args.counted[1] : workspace.gathered)));
}

template <int N, class Grid, class X, class Y>
__global__ void __launch_bounds__(kThreads) backward_kernel(LsqBackward args, Layout layout) {
  using T = Compute<X>;
  auto* workspace = static_cast<Workspace*>(args.workspace);
  const auto lsq = quantizer<Grid, T>(args, layout);
  const T scale = args.ste_scale ? clamp_scale<T>(args, *workspace) : T(1);
  Sum part;
  for_each_chunk<N>(layout, [&]<int W>(std::int64_t i, Width<W>) {
    const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
    const auto grad_y = load<W>(static_cast<const Y*>(args.grad_y.data) + i);
    Vector<X, W> grad_x;
    T clip = 0;
    for (int k = 0; k < W; ++k) {
      const FormulaGradient<T> gradient =
          lsq.gradient(static_cast<T>(x.at[k]), static_cast<T>(grad_y.at[k]), scale);
      grad_x.at[k] = static_cast<X>(gradient.x);
      clip += gradient.clip;
    }
    store(static_cast<X*>(args.grad_x.data) + i, grad_x);
    part.value += static_cast<double>(clip);
  });
  Sum total;
  if (!group_sum(part, layout, workspace, total)) return;
  static_cast<T*>(args.grad_clip)[layout.group()] = static_cast<T>(
      lsq_clip_gradient(total.value, static_cast<const T*>(args.clip_val)[layout.group()],
                        gradscale_factor(args.grad_scale)));
}

}  // namespace

void lsq_forward(const LsqForward& args, Stream stream) {
  if (args.size == 0) return;
  visit_pair(args.x.type, args.y.type, [&]<class X, class Y>(Type<X>, Type<Y>) {
    visit_grid<Compute<X>>(args.range, [&]<class Grid>(Type<Grid>) {
      visit_width<kVectorWidth<X, Y>>(
          args.groups, {args.x.data, args.y.data}, [&]<int N>(Width<N>) {
            const Launch launch = launch_over(args.size, args.groups, N);
            forward_kernel<N, Grid, X, Y>
                <<<launch.blocks, launch.threads, 0, static_cast<cudaStream_t>(stream)>>>(
                    args, launch.layout);
          });
    });
  });
  check_launch("lsq_forward");
}

void lsq_count_inside(const LsqCountInside& args, Stream stream) {
  visit_pair(args.x.type, args.x.type, [&]<class X, class Y>(Type<X>, Type<Y>) {
    visit_grid<Compute<X>>(args.range, [&]<class Grid>(Type<Grid>) {
      visit_width<kVectorWidth<X, X>>(args.groups, {args.x.data}, [&]<int N>(Width<N>) {
        const Launch launch = launch_over(args.size, args.groups, N);
        inside_kernel<N, Grid, X>
            <<<launch.blocks, launch.threads, 0, static_cast<cudaStream_t>(stream)>>>(
                args, launch.layout);
      });
    });
  });
  check_launch("lsq_count_inside");
}

void lsq_backward(const LsqBackward& args, Stream stream) {
  if (args.ste_scale && args.counted == nullptr)
    lsq_count_inside({.x = args.x,
                      .size = args.size,
                      .groups = args.groups,
                      .clip_val = args.clip_val,
                      .level_num = args.level_num,
                      .range = args.range,
                      .counted = nullptr,
                      .workspace = args.workspace},
                     stream);
  visit_pair(args.x.type, args.grad_y.type, [&]<class X, class Y>(Type<X>, Type<Y>) {
    visit_grid<Compute<X>>(args.range, [&]<class Grid>(Type<Grid>) {
      visit_width<kVectorWidth<X, Y>>(
          args.groups, {args.x.data, args.grad_y.data, args.grad_x.data}, [&]<int N>(Width<N>) {
            const Launch launch = launch_over(args.size, args.groups, N);
            const auto cuda_stream = static_cast<cudaStream_t>(stream);
            backward_kernel<N, Grid, X, Y>
                <<<launch.blocks, launch.threads, 0, cuda_stream>>>(args, launch.layout);
          });
    });
  });
  check_launch("lsq_backward");
}

}  // namespace lowbit::kernels::cuda
