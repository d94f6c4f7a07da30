#include "lowbit/kernels/reference/xnor.h"

#include <vector>

#include "lowbit/kernels/math/xnor.h"
#include "lowbit/kernels/visit.h"

namespace lowbit::kernels::reference {
namespace {

// The mean that element i takes part in.
int64_t mean_of(const Means& means, int64_t i) {
  return i / (means.length * means.stride) * means.stride + i % means.stride;
}

template <class T>
void forward(const XnorForward& args) {
  const T* x = static_cast<const T*>(args.x.data);
  T* y = static_cast<T*>(args.y.data);
  if (args.means.length == 0) {
    for (int64_t i = 0; i < args.size; ++i) y[i] = xnor_value(x[i], T(1), T(1));
    return;
  }
  std::vector<double> sums(args.size / args.means.length);
  for (int64_t i = 0; i < args.size; ++i)
    sums[mean_of(args.means, i)] += static_cast<double>(absolute(x[i]));
  for (int64_t i = 0; i < args.size; ++i) {
    const int64_t mean = mean_of(args.means, i);
    const T gamma = args.gamma ? static_cast<const T*>(args.gamma)[mean] : T(1);
    y[i] = xnor_value(x[i], xnor_mean<T>(sums[mean], args.means.length), gamma);
  }
}

template <class Mask, class T>
void backward(const XnorBackward& args) {
  const T* x = static_cast<const T*>(args.x.data);
  const T* grad_y = static_cast<const T*>(args.grad_y.data);
  T* grad_x = static_cast<T*>(args.grad_x.data);
  if (!args.gamma) {
    for (int64_t i = 0; i < args.size; ++i) grad_x[i] = xnor_gradient<Mask>(x[i], grad_y[i], T(1));
    return;
  }
  std::vector<XnorStatistics> statistics(args.size / args.means.length);
  for (int64_t i = 0; i < args.size; ++i) {
    const int64_t mean = mean_of(args.means, i);
    statistics[mean].add(x[i], grad_y[i]);
    grad_x[i] = xnor_gradient<Mask>(x[i], grad_y[i], static_cast<const T*>(args.gamma)[mean]);
  }
  for (size_t mean = 0; mean < statistics.size(); ++mean)
    static_cast<T*>(args.grad_gamma)[mean] =
        static_cast<T>(statistics[mean].gamma_gradient(args.means.length));
}

}  // namespace

void xnor_forward(const XnorForward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) { forward<T>(args); });
}

void xnor_backward(const XnorBackward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) {
    visit_mask<T>(args.mask, [&]<class Mask>(Type<Mask>) { backward<Mask, T>(args); });
  });
}

}  // namespace lowbit::kernels::reference
