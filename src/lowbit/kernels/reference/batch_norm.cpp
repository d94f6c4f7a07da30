#include "lowbit/kernels/reference/batch_norm.h"

#include "lowbit/kernels/math/batch_norm.h"
#include "lowbit/kernels/visit.h"

namespace lowbit::kernels::reference {
namespace {

template <class T>
BatchNormMoments moments_of(const T* x, const BatchNormShape& shape, std::int64_t channel) {
  const auto shift = static_cast<double>(x[channel]);
  double sum = 0, squares = 0;
  for (std::int64_t row = 0; row < shape.rows; ++row) {
    const double d = static_cast<double>(x[row * shape.channels + channel]) - shift;
    sum += d;
    squares += d * d;
  }
  return {sum, squares, shift, shape.rows};
}

template <class T>
T& number(void* array, std::int64_t i) {
  return static_cast<T*>(array)[i];
}

template <class T>
T number(const void* array, std::int64_t i) {
  return static_cast<const T*>(array)[i];
}

// The places of a channel's elements.
template <class Body>
void for_each_row(const BatchNormShape& shape, std::int64_t channel, const Body& body) {
  for (std::int64_t row = 0; row < shape.rows; ++row) body(row * shape.channels + channel);
}

template <class T, class Quantizer>
void forward(const BatchNormForward& args) {
  const T* x = static_cast<const T*>(args.x.data);
  const T* skip = static_cast<const T*>(args.skip);
  T* y = static_cast<T*>(args.y.data);
  const Quantizer quantizer(args.quantizer);
  for (std::int64_t c = 0; c < args.shape.channels; ++c) {
    const BatchNormMoments moments = moments_of(x, args.shape, c);
    T& running_mean = number<T>(args.running_mean, c);
    T& running_var = number<T>(args.running_var, c);
    running_mean = static_cast<T>(moved(running_mean, moments.mean, args.momentum));
    running_var =
        static_cast<T>(moved(running_var, moments.estimated_var(args.shape.rows), args.momentum));
    const T mean = number<T>(args.mean, c) = static_cast<T>(moments.mean);
    const T invstd = number<T>(args.invstd, c) = static_cast<T>(moments.invstd(args.eps));
    const BatchNormChannel<T> channel{mean, number<T>(args.weight, c) * invstd,
                                      number<T>(args.bias, c)};
    for_each_row(args.shape, c, [&](std::int64_t i) {
      const T v = channel.value(x[i]);
      y[i] = quantizer.value(activated(args.activation, skip ? v + skip[i] : v));
    });
  }
}

template <class T, class Quantizer>
void backward(const BatchNormBackward& args) {
  const T* x = static_cast<const T*>(args.x.data);
  const T* y = static_cast<const T*>(args.y);
  const T* grad_y = static_cast<const T*>(args.grad_y.data);
  T* grad_x = static_cast<T*>(args.grad_x.data);
  T* grad_skip = static_cast<T*>(args.grad_skip);
  const Quantizer quantizer(args.quantizer);
  double clip = 0;
  for (std::int64_t c = 0; c < args.shape.channels; ++c) {
    const T mean = number<T>(args.mean, c), invstd = number<T>(args.invstd, c);
    const T weight = number<T>(args.weight, c);
    const BatchNormChannel<T> channel{mean, weight * invstd, number<T>(args.bias, c)};
    const auto upstream = [&](std::int64_t i) -> FormulaGradient<T> {
      const T v = y ? y[i] : channel.value(x[i]);
      const auto gradient = quantizer.gradient(activated(args.activation, v), grad_y[i]);
      return {passes_gradient(args.activation, v) ? gradient.x : T(0), gradient.clip};
    };
    double sum = 0, dot = 0;
    for_each_row(args.shape, c, [&](std::int64_t i) {
      const FormulaGradient<T> g = upstream(i);
      sum += static_cast<double>(g.x);
      dot += static_cast<double>(g.x) * static_cast<double>(x[i] - mean);
      clip += static_cast<double>(g.clip);
    });
    const T grad_weight = number<T>(args.grad_weight, c) =
        static_cast<T>(dot * static_cast<double>(invstd));
    const T grad_bias = number<T>(args.grad_bias, c) = static_cast<T>(sum);
    const auto gradient = BatchNormGradient<T>::of(mean, invstd, weight, grad_weight, grad_bias,
                                                   static_cast<T>(args.shape.rows));
    for_each_row(args.shape, c, [&](std::int64_t i) {
      const T g = upstream(i).x;
      if (grad_skip) grad_skip[i] = g;
      grad_x[i] = gradient.gradient(x[i], g);
    });
  }
  if (args.quantizer.learns())
    number<T>(args.grad_clip, 0) = static_cast<T>(quantizer.clip_gradient(clip));
}

}  // namespace

void batch_norm_forward(const BatchNormForward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) {
    visit_feature_quantizer<T>(args.quantizer.kind, [&]<class Q>(Type<Q>) { forward<T, Q>(args); });
  });
}

void batch_norm_backward(const BatchNormBackward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) {
    visit_feature_quantizer<T>(args.quantizer.kind,
                               [&]<class Q>(Type<Q>) { backward<T, Q>(args); });
  });
}

}  // namespace lowbit::kernels::reference
