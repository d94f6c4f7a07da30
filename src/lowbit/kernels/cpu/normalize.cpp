#include "lowbit/kernels/cpu/normalize.h"

#include "lowbit/kernels/cpu/rows.h"
#include "lowbit/kernels/math/normalize.h"
#include "lowbit/kernels/visit.h"

namespace lowbit::kernels::cpu {
namespace {

// to[i] = formula(from[i]) for every number, the types being T. formula_of(group): the formula.
template <class T, class FormulaOf>
void map(const Input& from, const Output& to, const Groups& groups, const FormulaOf& formula_of) {
  for_each_row_piece(groups.count, groups.run, [&](int64_t group, int64_t begin, int64_t end) {
    vector_for(end - begin,
               [x = static_cast<const T*>(from.data) + begin, y = static_cast<T*>(to.data) + begin,
                formula = formula_of(group)](int64_t i) { y[i] = formula(x[i]); });
  });
}

template <class T>
NormalizeStatistics statistics_of(const T* x, int64_t length, double shift) {
  return {vector_sum(length, [=](int64_t i) { return static_cast<double>(x[i]) - shift; }),
          vector_sum(length, [=](int64_t i) {
            const double d = static_cast<double>(x[i]) - shift;
            return d * d;
          })};
}

template <class T>
void normalize(const NormalizeForward& args) {
  const int64_t run = args.groups.run, count = args.groups.count;
  const T* x = static_cast<const T*>(args.x.data);
  T *mean = static_cast<T*>(args.mean), *std = static_cast<T*>(args.std);
  const auto all =
      reduce_rows<NormalizeStatistics>(count, run, [&](int64_t group, int64_t begin, int64_t end) {
        return statistics_of(x + begin, end - begin, static_cast<double>(x[group * run]));
      });
  for (int64_t group = 0; group < count; ++group) {
    const auto i = static_cast<size_t>(group);
    mean[group] = static_cast<T>(all[i].mean(static_cast<double>(x[group * run]), run));
    std[group] = static_cast<T>(all[i].deviation(run));
  }
  map<T>(args.x, args.y, args.groups, [=](int64_t group) {
    return [normalization = Normalization<T>{mean[group], std[group]}](T value) {
      return normalization.normalize(value);
    };
  });
}

}  // namespace

void normalize_forward(const NormalizeForward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) { normalize<T>(args); });
}

void normalize_backward(const NormalizeBackward& args) {
  visit_compute_type(args.grad_x.type, [&]<class T>(Type<T>) {
    map<T>(args.grad_y, args.grad_x, args.groups, [&](int64_t group) {
      return [std = static_cast<const T*>(args.std)[group]](T upstream) {
        return normalize_gradient(upstream, std);
      };
    });
  });
}

void restore_forward(const RestoreForward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) {
    map<T>(args.x, args.y, args.groups, [&](int64_t group) {
      return [normalization = Normalization<T>{static_cast<const T*>(args.mean)[group],
                                               static_cast<const T*>(args.std)[group]}](T x) {
        return normalization.restore(x);
      };
    });
  });
}

void restore_backward(const RestoreBackward& args) {
  visit_compute_type(args.grad_x.type, [&]<class T>(Type<T>) {
    map<T>(args.grad_y, args.grad_x, args.groups, [&](int64_t group) {
      return [std = static_cast<const T*>(args.std)[group]](T upstream) {
        return restore_gradient(upstream, std);
      };
    });
  });
}

}  // namespace lowbit::kernels::cpu
