#include "lowbit/kernels/cuda/normalize.h"
#include "lowbit/kernels/cuda/passes.cuh"
#include "lowbit/kernels/math/normalize.h"

namespace lowbit::kernels::cuda {
namespace {

// Operators as passes.cuh has them.
template <class X, class Y>
struct Normalize {
  NormalizeForward args;
  using T = Compute<X>;
  using Summand = NormalizeStatistics;

  __device__ double shift(std::int64_t group) const {
    return static_cast<double>(
        static_cast<T>(static_cast<const X*>(args.x.data)[group * args.groups.run]));
  }
  __device__ Normalization<T> normalization(std::int64_t group, const Summand& all) const {
    return {static_cast<T>(all.mean(shift(group), args.groups.run)),
            static_cast<T>(all.deviation(args.groups.run))};
  }

  template <int W>
  __device__ void gather(std::int64_t i, std::int64_t group, Summand& all) const {
    const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
    const double d0 = shift(group);
    for (int k = 0; k < W; ++k) all.add(static_cast<double>(static_cast<T>(x.at[k])) - d0);
  }

  __device__ void publish(std::int64_t group, const Summand& all) const {
    const Normalization<T> result = normalization(group, all);
    static_cast<T*>(args.mean)[group] = result.mean;
    static_cast<T*>(args.std)[group] = result.std;
  }

  template <int W>
  __device__ void apply(std::int64_t i, std::int64_t group, const Summand& all) const {
    const Normalization<T> formula = normalization(group, all);
    const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
    Vector<Y, W> y;
    for (int k = 0; k < W; ++k)
      y.at[k] = static_cast<Y>(formula.normalize(static_cast<T>(x.at[k])));
    store(static_cast<Y*>(args.y.data) + i, y);
  }
};

template <class X, class Y>
struct Restore {
  RestoreForward args;
  using T = Compute<X>;

  template <int W>
  __device__ void apply(std::int64_t i, std::int64_t group) const {
    const Normalization<T> formula{static_cast<const T*>(args.mean)[group],
                                   static_cast<const T*>(args.std)[group]};
    const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
    Vector<Y, W> y;
    for (int k = 0; k < W; ++k) y.at[k] = static_cast<Y>(formula.restore(static_cast<T>(x.at[k])));
    store(static_cast<Y*>(args.y.data) + i, y);
  }
};

// What the two gradients share: formula(upstream, std).
template <int W, class X, class Y, class Args, class Formula>
__device__ void apply_gradient(const Args& args, std::int64_t i, std::int64_t group,
                               const Formula& formula) {
  using T = Compute<X>;
  const T std = static_cast<const T*>(args.std)[group];
  const auto grad_y = load<W>(static_cast<const Y*>(args.grad_y.data) + i);
  Vector<X, W> grad_x;
  for (int k = 0; k < W; ++k)
    grad_x.at[k] = static_cast<X>(formula(static_cast<T>(grad_y.at[k]), std));
  store(static_cast<X*>(args.grad_x.data) + i, grad_x);
}

template <class X, class Y>
struct NormalizeGradient {
  NormalizeBackward args;

  template <int W>
  __device__ void apply(std::int64_t i, std::int64_t group) const {
    using T = Compute<X>;
    apply_gradient<W, X, Y>(args, i, group,
                            [](T upstream, T std) { return normalize_gradient(upstream, std); });
  }
};

template <class X, class Y>
struct RestoreGradient {
  RestoreBackward args;

  template <int W>
  __device__ void apply(std::int64_t i, std::int64_t group) const {
    using T = Compute<X>;
    apply_gradient<W, X, Y>(args, i, group,
                            [](T upstream, T std) { return restore_gradient(upstream, std); });
  }
};

}  // namespace

void normalize_forward(const NormalizeForward& args, Stream stream) {
  gather_and_apply<Normalize>(args, args.x.type, args.y.type, args.groups,
                              {args.x.data, args.y.data}, stream);
  check_launch("normalize_forward");
}

void normalize_backward(const NormalizeBackward& args, Stream stream) {
  map<NormalizeGradient>(args, args.grad_x.type, args.grad_y.type, args.groups,
                         {args.grad_y.data, args.grad_x.data}, stream);
  check_launch("normalize_backward");
}

void restore_forward(const RestoreForward& args, Stream stream) {
  map<Restore>(args, args.x.type, args.y.type, args.groups, {args.x.data, args.y.data}, stream);
  check_launch("restore_forward");
}

void restore_backward(const RestoreBackward& args, Stream stream) {
  map<RestoreGradient>(args, args.grad_x.type, args.grad_y.type, args.groups,
                       {args.grad_y.data, args.grad_x.data}, stream);
  check_launch("restore_backward");
}

}  // namespace lowbit::kernels::cuda
