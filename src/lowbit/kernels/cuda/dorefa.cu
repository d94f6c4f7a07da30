#include "lowbit/kernels/cuda/dorefa.h"
#include "lowbit/kernels/cuda/passes.cuh"
#include "lowbit/kernels/math/dorefa.h"

namespace lowbit::kernels::cuda {
namespace {

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
  __device__ void gather(std::int64_t i, std::int64_t, Summand& maximum) const {
    const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
    for (int k = 0; k < W; ++k)
      maximum.add({absolute(hyperbolic_tangent(static_cast<T>(x.at[k])))});
  }

  template <int W>
  __device__ void apply(std::int64_t i, std::int64_t, const Summand& maximum) const {
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
  __device__ void gather(std::int64_t i, std::int64_t, Summand& statistics) const {
    const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
    const auto grad_y = load<W>(static_cast<const Y*>(args.grad_y.data) + i);
    for (int k = 0; k < W; ++k)
      statistics.add(hyperbolic_tangent(static_cast<T>(x.at[k])), static_cast<T>(grad_y.at[k]));
  }

  template <int W>
  __device__ void apply(std::int64_t i, std::int64_t, const Summand& statistics) const {
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
  __device__ void gather(std::int64_t i, std::int64_t, Summand& sum) const {
    const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
    for (int k = 0; k < W; ++k) sum.value += static_cast<double>(absolute(static_cast<T>(x.at[k])));
  }

  template <int W>
  __device__ void apply(std::int64_t i, std::int64_t, const Summand& sum) const {
    const BinaryWeight<T> binary{static_cast<T>(sum.value / static_cast<double>(args.size))};
    const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
    Vector<Y, W> y;
    for (int k = 0; k < W; ++k) y.at[k] = static_cast<Y>(binary.value(static_cast<T>(x.at[k])));
    store(static_cast<Y*>(args.y.data) + i, y);
  }
};

}  // namespace

void dorefa_weight_forward(const DorefaWeightForward& args, Stream stream) {
  gather_and_apply<WeightForward>(args, args.x.type, args.y.type, {args.size, 1},
                                  {args.x.data, args.y.data}, stream);
  check_launch("dorefa_weight_forward");
}

void dorefa_weight_backward(const DorefaWeightBackward& args, Stream stream) {
  gather_and_apply<WeightBackward>(args, args.x.type, args.grad_y.type, {args.size, 1},
                                   {args.x.data, args.grad_y.data, args.grad_x.data}, stream);
  check_launch("dorefa_weight_backward");
}

void binary_weight_forward(const BinaryWeightForward& args, Stream stream) {
  gather_and_apply<BinaryForward>(args, args.x.type, args.y.type, {args.size, 1},
                                  {args.x.data, args.y.data}, stream);
  check_launch("binary_weight_forward");
}

}  // namespace lowbit::kernels::cuda
