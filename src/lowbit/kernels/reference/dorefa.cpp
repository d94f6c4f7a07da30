#include "lowbit/kernels/reference/dorefa.h"

#include "lowbit/kernels/math/dorefa.h"
#include "lowbit/kernels/visit.h"

namespace lowbit::kernels::reference {
namespace {

template <class T, class Args>
T steps(const Args& args) {
  return *static_cast<const T*>(args.level_num) - 1;
}

template <class T>
void weight_forward(const DorefaWeightForward& args) {
  const T* x = static_cast<const T*>(args.x.data);
  T* y = static_cast<T*>(args.y.data);
  T max_abs = 0;
  for (int64_t i = 0; i < args.size; ++i)
    max_abs = nan_max(max_abs, absolute(hyperbolic_tangent(x[i])));
  const DorefaWeight<T> dorefa{static_cast<T>(args.boundary), steps<T>(args), max_abs};
  for (int64_t i = 0; i < args.size; ++i) y[i] = dorefa.value(hyperbolic_tangent(x[i]));
}

template <class T>
void weight_backward(const DorefaWeightBackward& args) {
  const T* x = static_cast<const T*>(args.x.data);
  const T* grad_y = static_cast<const T*>(args.grad_y.data);
  T* grad_x = static_cast<T*>(args.grad_x.data);
  DorefaWeightStatistics<T> statistics;
  for (int64_t i = 0; i < args.size; ++i) statistics.add(hyperbolic_tangent(x[i]), grad_y[i]);
  const DorefaWeightGradient<T> dorefa(statistics);
  for (int64_t i = 0; i < args.size; ++i)
    grad_x[i] = dorefa.gradient(hyperbolic_tangent(x[i]), grad_y[i]);
}

}  // namespace

void dorefa_weight_forward(const DorefaWeightForward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) { weight_forward<T>(args); });
}

void dorefa_weight_backward(const DorefaWeightBackward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) { weight_backward<T>(args); });
}

void binary_weight_forward(const BinaryWeightForward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) {
    const T* x = static_cast<const T*>(args.x.data);
    double sum = 0;
    for (int64_t i = 0; i < args.size; ++i) sum += static_cast<double>(absolute(x[i]));
    const BinaryWeight<T> binary{static_cast<T>(sum / static_cast<double>(args.size))};
    for (int64_t i = 0; i < args.size; ++i) static_cast<T*>(args.y.data)[i] = binary.value(x[i]);
  });
}

}  // namespace lowbit::kernels::reference
