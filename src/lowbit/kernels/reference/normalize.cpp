#include "lowbit/kernels/reference/normalize.h"

#include "lowbit/kernels/math/normalize.h"
#include "lowbit/kernels/visit.h"

namespace lowbit::kernels::reference {
namespace {

template <class T>
void normalize(const NormalizeForward& args) {
  const int64_t run = args.groups.run;
  for (int64_t group = 0; group < args.groups.count; ++group) {
    const T* x = static_cast<const T*>(args.x.data) + group * run;
    T* y = static_cast<T*>(args.y.data) + group * run;
    const double shift = x[0];
    NormalizeStatistics all;
    for (int64_t i = 0; i < run; ++i) all.add(static_cast<double>(x[i]) - shift);
    const Normalization<T> normalization{static_cast<T>(all.mean(shift, run)),
                                         static_cast<T>(all.deviation(run))};
    static_cast<T*>(args.mean)[group] = normalization.mean;
    static_cast<T*>(args.std)[group] = normalization.std;
    for (int64_t i = 0; i < run; ++i) y[i] = normalization.normalize(x[i]);
  }
}

// formula(number, group) of every number, the types being T.
template <class T, class Formula>
void map(const Input& from, const Output& to, const Groups& groups, const Formula& formula) {
  for (int64_t i = 0; i < groups.run * groups.count; ++i)
    static_cast<T*>(to.data)[i] = formula(static_cast<const T*>(from.data)[i], groups.of(i));
}

}  // namespace

void normalize_forward(const NormalizeForward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) { normalize<T>(args); });
}

void normalize_backward(const NormalizeBackward& args) {
  visit_compute_type(args.grad_x.type, [&]<class T>(Type<T>) {
    const T* std = static_cast<const T*>(args.std);
    map<T>(args.grad_y, args.grad_x, args.groups,
           [=](T upstream, int64_t group) { return normalize_gradient(upstream, std[group]); });
  });
}

void restore_forward(const RestoreForward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) {
    const T *mean = static_cast<const T*>(args.mean), *std = static_cast<const T*>(args.std);
    map<T>(args.x, args.y, args.groups, [=](T x, int64_t group) {
      return Normalization<T>{mean[group], std[group]}.restore(x);
    });
  });
}

void restore_backward(const RestoreBackward& args) {
  visit_compute_type(args.grad_x.type, [&]<class T>(Type<T>) {
    const T* std = static_cast<const T*>(args.std);
    map<T>(args.grad_y, args.grad_x, args.groups,
           [=](T upstream, int64_t group) { return restore_gradient(upstream, std[group]); });
  });
}

}  // namespace lowbit::kernels::reference
