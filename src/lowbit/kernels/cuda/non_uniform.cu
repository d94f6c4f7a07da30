#include "lowbit/kernels/cuda/launch.cuh"
#include "lowbit/kernels/cuda/non_uniform.h"
#include "lowbit/kernels/cuda/reduce.cuh"
#include "lowbit/kernels/math/non_uniform.h"

namespace lowbit::kernels::cuda {
namespace {

template <int N, class X, class Y>
__global__ void __launch_bounds__(kThreads) forward_kernel(NonUniformForward args, Layout layout) {
  using T = Compute<X>;
  const NonUniform<T> quantizer(args.steps, layout.group());
  const T basis = non_uniform_basis<T>(args.basis);
  for_each_chunk<N>(layout, [&]<int W>(std::int64_t i, Width<W>) {
    const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
    Vector<Y, W> y;
    for (int k = 0; k < W; ++k)
      y.at[k] = static_cast<Y>(quantizer.value(static_cast<T>(x.at[k])) * basis);
    store(static_cast<Y*>(args.y.data) + i, y);
  });
}

// The fit is over the whole array: blocks are not dealt out to groups, so that every W elements
// find theirs.
template <int N, class X>
__global__ void __launch_bounds__(kThreads) fit_kernel(NonUniformFit args, Layout whole) {
  using T = Compute<X>;
  ThreeSums part;
  for_each_chunk<N>(whole, [&]<int W>(std::int64_t i, Width<W>) {
    const NonUniform<T> quantizer(args.steps, args.groups.of(i));
    const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
    for (int k = 0; k < W; ++k)
      part.add(non_uniform_fit_terms(quantizer, static_cast<T>(x.at[k]), args.counts_inside));
  });
  ThreeSums total;
  if (group_sum(part, whole, static_cast<Workspace*>(args.workspace), total))
    finish_non_uniform_fit<T>(args, total);
}

template <class T>
__global__ void fit_sums_kernel(NonUniformFit args) {
  fit_non_uniform_sums<T>(args);
}

template <int N, class X, class Y>
__global__ void __launch_bounds__(kThreads)
    backward_kernel(NonUniformBackward args, Layout layout) {
  using T = Compute<X>;
  const NonUniform<T> quantizer(args.steps, layout.group());
  const T basis = non_uniform_basis<T>(args.basis);
  ThreeSums part;
  for_each_chunk<N>(layout, [&]<int W>(std::int64_t i, Width<W>) {
    const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
    const auto grad_y = load<W>(static_cast<const Y*>(args.grad_y.data) + i);
    Vector<X, W> grad_x;
    NonUniformGradient<T> sum{};
    for (int k = 0; k < W; ++k) {
      const NonUniformGradient<T> gradient =
          quantizer.gradient(static_cast<T>(x.at[k]), static_cast<T>(grad_y.at[k]) * basis);
      grad_x.at[k] = static_cast<X>(gradient.x);
      for (int step = 0; step < NonUniformSteps::kMax; ++step)
        sum.slope[step] += gradient.slope[step];
    }
    store(static_cast<X*>(args.grad_x.data) + i, grad_x);
    part.add(sum.slope_terms());
  });
  ThreeSums total;
  if (group_sum(part, layout, static_cast<Workspace*>(args.workspace), total))
    write_alpha_gradients<T>(args, layout.group(), total);
}

}  // namespace

void non_uniform_forward(const NonUniformForward& args, Stream stream) {
  if (args.size == 0) return;
  visit_pair(args.x.type, args.y.type, [&]<class X, class Y>(Type<X>, Type<Y>) {
    visit_width<kVectorWidth<X, Y>>(args.groups, {args.x.data, args.y.data}, [&]<int N>(Width<N>) {
      const Launch launch = launch_over(args.size, args.groups, N);
      forward_kernel<N, X, Y>
          <<<launch.blocks, launch.threads, 0, static_cast<cudaStream_t>(stream)>>>(args,
                                                                                    launch.layout);
    });
  });
  check_launch("non_uniform_forward");
}

void non_uniform_fit(const NonUniformFit& args, Stream stream) {
  visit_pair(args.x.type, args.x.type, [&]<class X, class Y>(Type<X>, Type<Y>) {
    visit_width<kVectorWidth<X, X>>(args.groups, {args.x.data}, [&]<int N>(Width<N>) {
      const Launch launch = launch_over(args.size, {args.size, 1}, N);
      fit_kernel<N, X><<<launch.blocks, launch.threads, 0, static_cast<cudaStream_t>(stream)>>>(
          args, launch.layout);
    });
  });
  check_launch("non_uniform_fit");
}

void non_uniform_fit_sums(const NonUniformFit& args, Stream stream) {
  const auto cuda_stream = static_cast<cudaStream_t>(stream);
  if (args.x.type == ScalarType::float64)
    fit_sums_kernel<double><<<1, 1, 0, cuda_stream>>>(args);
  else
    fit_sums_kernel<float><<<1, 1, 0, cuda_stream>>>(args);
  check_launch("non_uniform_fit_sums");
}

void non_uniform_backward(const NonUniformBackward& args, Stream stream) {
  visit_pair(args.x.type, args.grad_y.type, [&]<class X, class Y>(Type<X>, Type<Y>) {
    visit_width<kVectorWidth<X, Y>>(
        args.groups, {args.x.data, args.grad_y.data, args.grad_x.data}, [&]<int N>(Width<N>) {
          const Launch launch = launch_over(args.size, args.groups, N);
          backward_kernel<N, X, Y>
              <<<launch.blocks, launch.threads, 0, static_cast<cudaStream_t>(stream)>>>(
                  args, launch.layout);
        });
  });
  check_launch("non_uniform_backward");
}

}  // namespace lowbit::kernels::cuda
