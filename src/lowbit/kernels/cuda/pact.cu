#include "lowbit/kernels/cuda/launch.cuh"
#include "lowbit/kernels/cuda/pact.h"
#include "lowbit/kernels/cuda/reduce.cuh"
#include "lowbit/kernels/math/pact.h"

namespace lowbit::kernels::cuda {
namespace {

template <int N, class X, class Y>
__global__ void __launch_bounds__(kThreads) forward_kernel(PactForward args, Layout layout) {
  using T = Compute<X>;
  const Pact<T> pact{*static_cast<const T*>(args.clip_val),
                     *static_cast<const T*>(args.level_num) - 1};
  for_each_chunk<N>(layout, [&]<int W>(std::int64_t i, Width<W>) {
    const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
    Vector<Y, W> y;
    for (int k = 0; k < W; ++k) y.at[k] = static_cast<Y>(pact.value(static_cast<T>(x.at[k])));
    store(static_cast<Y*>(args.y.data) + i, y);
  });
}

template <int N, class X, class Y>
__global__ void __launch_bounds__(kThreads) backward_kernel(PactBackward args, Layout layout) {
  using T = Compute<X>;
  const T clip = *static_cast<const T*>(args.clip_val);
  Sum part;
  for_each_chunk<N>(layout, [&]<int W>(std::int64_t i, Width<W>) {
    const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
    const auto grad_y = load<W>(static_cast<const Y*>(args.grad_y.data) + i);
    Vector<X, W> grad_x;
    T sum = 0;
    for (int k = 0; k < W; ++k) {
      const PactGradient<T> gradient =
          pact_gradient(static_cast<T>(x.at[k]), static_cast<T>(grad_y.at[k]), clip);
      grad_x.at[k] = static_cast<X>(gradient.x);
      sum += gradient.clip;
    }
    store(static_cast<X*>(args.grad_x.data) + i, grad_x);
    part.value += static_cast<double>(sum);
  });
  Sum total;
  if (group_sum(part, layout, static_cast<Workspace*>(args.workspace), total))
    *static_cast<T*>(args.grad_clip) = static_cast<T>(total.value);
}

}  // namespace

void pact_forward(const PactForward& args, Stream stream) {
  if (args.size == 0) return;
  const Groups one{args.size, 1};
  visit_pair(args.x.type, args.y.type, [&]<class X, class Y>(Type<X>, Type<Y>) {
    visit_width<kVectorWidth<X, Y>>(one, {args.x.data, args.y.data}, [&]<int N>(Width<N>) {
      const Launch launch = launch_over(args.size, one, N);
      forward_kernel<N, X, Y>
          <<<launch.blocks, launch.threads, 0, static_cast<cudaStream_t>(stream)>>>(args,
                                                                                    launch.layout);
    });
  });
  check_launch("pact_forward");
}

void pact_backward(const PactBackward& args, Stream stream) {
  const Groups one{args.size, 1};
  visit_pair(args.x.type, args.grad_y.type, [&]<class X, class Y>(Type<X>, Type<Y>) {
    visit_width<kVectorWidth<X, Y>>(
        one, {args.x.data, args.grad_y.data, args.grad_x.data}, [&]<int N>(Width<N>) {
          const Launch launch = launch_over(args.size, one, N);
          backward_kernel<N, X, Y>
              <<<launch.blocks, launch.threads, 0, static_cast<cudaStream_t>(stream)>>>(
                  args, launch.layout);
        });
  });
  check_launch("pact_backward");
}

}  // namespace lowbit::kernels::cuda
