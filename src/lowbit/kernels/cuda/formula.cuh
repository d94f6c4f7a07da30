// The loops of a formula (math/formula.h) on a CUDA stream: one launch each. Sums are made in an
// order that depends on the size alone.
#pragma once

#include "lowbit/kernels/cuda/launch.cuh"
#include "lowbit/kernels/cuda/reduce.cuh"
#include "lowbit/kernels/formula.h"

namespace lowbit::kernels::cuda {

template <template <class> class Formula, int N, class X, class Y>
__global__ void __launch_bounds__(kThreads)
    formula_forward_kernel(FormulaForward args, Layout layout) {
  using T = Compute<X>;
  const Formula<T> formula(args.arguments, layout.group());
  for_each_chunk<N>(layout, [&]<int W>(std::int64_t i, Width<W>) {
    const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
    Vector<Y, W> y;
    for (int k = 0; k < W; ++k)
      y.at[k] = static_cast<Y>(formula.level(formula.code(static_cast<T>(x.at[k]))));
    store(static_cast<Y*>(args.y.data) + i, y);
  });
}

template <template <class> class Formula, int N, class X, class Y>
__global__ void __launch_bounds__(kThreads)
    formula_backward_kernel(FormulaBackward args, Layout layout) {
  using T = Compute<X>;
  const Formula<T> formula(args.arguments, layout.group());
  [[maybe_unused]] Sum part;
  for_each_chunk<N>(layout, [&]<int W>(std::int64_t i, Width<W>) {
    const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
    const auto grad_y = load<W>(static_cast<const Y*>(args.grad_y.data) + i);
    Vector<X, W> grad_x;
    [[maybe_unused]] T sum = 0;
    for (int k = 0; k < W; ++k) {
      const FormulaGradient<T> gradient =
          formula.gradient(static_cast<T>(x.at[k]), static_cast<T>(grad_y.at[k]));
      grad_x.at[k] = static_cast<X>(gradient.x);
      sum += gradient.clip;
    }
    store(static_cast<X*>(args.grad_x.data) + i, grad_x);
    if constexpr (Formula<T>::kLearns) part.value += static_cast<double>(sum);
  });
  if constexpr (Formula<T>::kLearns) {
    Sum total;
    if (group_sum(part, layout, static_cast<Workspace*>(args.workspace), total))
      static_cast<T*>(args.grad_clip)[layout.group()] =
          static_cast<T>(formula.clip_gradient(total.value));
  }
}

template <template <class> class Formula>
void formula_forward(const FormulaForward& args, Stream stream) {
  if (args.size == 0) return;
  visit_pair(args.x.type, args.y.type, [&]<class X, class Y>(Type<X>, Type<Y>) {
    visit_width<kVectorWidth<X, Y>>(args.groups, {args.x.data, args.y.data}, [&]<int N>(Width<N>) {
      const Launch launch = launch_over(args.size, args.groups, N);
      formula_forward_kernel<Formula, N, X, Y>
          <<<launch.blocks, launch.threads, 0, static_cast<cudaStream_t>(stream)>>>(args,
                                                                                    launch.layout);
    });
  });
  check_launch("quantizer, forward");
}

template <template <class> class Formula>
void formula_backward(const FormulaBackward& args, Stream stream) {
  if (args.size == 0 && args.grad_clip == nullptr) return;
  visit_pair(args.x.type, args.grad_y.type, [&]<class X, class Y>(Type<X>, Type<Y>) {
    visit_width<kVectorWidth<X, Y>>(
        args.groups, {args.x.data, args.grad_y.data, args.grad_x.data}, [&]<int N>(Width<N>) {
          const Launch launch = launch_over(args.size, args.groups, N);
          formula_backward_kernel<Formula, N, X, Y>
              <<<launch.blocks, launch.threads, 0, static_cast<cudaStream_t>(stream)>>>(
                  args, launch.layout);
        });
  });
  check_launch("quantizer, backward");
}

}  // namespace lowbit::kernels::cuda
