#include "lowbit/kernels/reference/non_uniform.h"

#include <vector>

#include "lowbit/kernels/math/non_uniform.h"
#include "lowbit/kernels/visit.h"

namespace lowbit::kernels::reference {
namespace {

// The quantizer of every group.
template <class T, class Args>
std::vector<NonUniform<T>> quantizers(const Args& args) {
  std::vector<NonUniform<T>> result;
  for (int64_t group = 0; group < args.groups.count; ++group)
    result.emplace_back(args.steps, group);
  return result;
}

template <class T>
void forward(const NonUniformForward& args) {
  const auto quantizer = quantizers<T>(args);
  const T basis = non_uniform_basis<T>(args.basis);
  const T* x = static_cast<const T*>(args.x.data);
  T* y = static_cast<T*>(args.y.data);
  for (int64_t i = 0; i < args.size; ++i) y[i] = quantizer[args.groups.of(i)].value(x[i]) * basis;
}

template <class T>
void fit(const NonUniformFit& args) {
  const auto quantizer = quantizers<T>(args);
  const T* x = static_cast<const T*>(args.x.data);
  ThreeSums sums;
  for (int64_t i = 0; i < args.size; ++i)
    sums.add(non_uniform_fit_terms(quantizer[args.groups.of(i)], x[i], args.counts_inside));
  finish_non_uniform_fit<T>(args, sums);
}

template <class T>
void backward(const NonUniformBackward& args) {
  const auto quantizer = quantizers<T>(args);
  const T basis = non_uniform_basis<T>(args.basis);
  const T* x = static_cast<const T*>(args.x.data);
  const T* grad_y = static_cast<const T*>(args.grad_y.data);
  T* grad_x = static_cast<T*>(args.grad_x.data);
  std::vector<ThreeSums> sums(args.groups.count);
  for (int64_t i = 0; i < args.size; ++i) {
    const int64_t group = args.groups.of(i);
    const NonUniformGradient<T> gradient = quantizer[group].gradient(x[i], grad_y[i] * basis);
    grad_x[i] = gradient.x;
    sums[group].add(gradient.slope_terms());
  }
  for (int64_t group = 0; group < args.groups.count; ++group)
    write_alpha_gradients<T>(args, group, sums[group]);
}

}  // namespace

void non_uniform_forward(const NonUniformForward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) { forward<T>(args); });
}

void non_uniform_fit(const NonUniformFit& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) { fit<T>(args); });
}

void non_uniform_backward(const NonUniformBackward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) { backward<T>(args); });
}

}  // namespace lowbit::kernels::reference
