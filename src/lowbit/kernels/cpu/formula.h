// The loops of a formula (math/formula.h) with threads and vector instructions, results as in
// cpu/lsq.h.
#pragma once

#include "lowbit/kernels/cpu/group_sums.h"
#include "lowbit/kernels/formula.h"
#include "lowbit/kernels/visit.h"

namespace lowbit::kernels::cpu {

template <template <class> class Formula, class T>
void forward_loop(const FormulaForward& args) {
  const T* all_x = static_cast<const T*>(args.x.data);
  T* all_y = static_cast<T*>(args.y.data);
  parallel_for(args.size, kGrain, [&](std::int64_t first, std::int64_t last) {
    for_each_run(args.groups, first, last,
                 [&](std::int64_t group, std::int64_t begin, std::int64_t end) {
                   const T* x = all_x + begin;
                   T* y = all_y + begin;
                   vector_for(end - begin,
                              [x, y, formula = Formula<T>(args.arguments, group)](std::int64_t i) {
                                y[i] = formula.level(formula.code(x[i]));
                              });
                 });
  });
}

template <template <class> class Formula, class T>
void backward_loop(const FormulaBackward& args) {
  const T* all_x = static_cast<const T*>(args.x.data);
  const T* all_grad_y = static_cast<const T*>(args.grad_y.data);
  T* all_grad_x = static_cast<T*>(args.grad_x.data);
  // Without a learned number there is nothing to sum.
  if constexpr (!Formula<T>::kLearns) {
    parallel_for(args.size, kGrain, [&](std::int64_t first, std::int64_t last) {
      for_each_run(
          args.groups, first, last, [&](std::int64_t group, std::int64_t begin, std::int64_t end) {
            const T* x = all_x + begin;
            const T* grad_y = all_grad_y + begin;
            T* grad_x = all_grad_x + begin;
            vector_for(end - begin,
                       [x, grad_y, grad_x, formula = Formula<T>(args.arguments, group)](
                           std::int64_t i) { grad_x[i] = formula.gradient(x[i], grad_y[i]).x; });
          });
    });
  } else {
    const auto sums = sum_by_group(
        args.size, args.groups, [&](std::int64_t group, std::int64_t begin, std::int64_t end) {
          const T* x = all_x + begin;
          const T* grad_y = all_grad_y + begin;
          T* grad_x = all_grad_x + begin;
          const Formula<T> formula(args.arguments, group);
          return vector_sum(end - begin, [=](std::int64_t i) {
            const FormulaGradient<T> gradient = formula.gradient(x[i], grad_y[i]);
            grad_x[i] = gradient.x;
            return gradient.clip;
          });
        });
    for (std::int64_t group = 0; group < args.groups.count; ++group)
      static_cast<T*>(args.grad_clip)[group] = static_cast<T>(
          Formula<T>(args.arguments, group).clip_gradient(sums[static_cast<size_t>(group)]));
  }
}

template <template <class> class Formula>
void formula_forward(const FormulaForward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) { forward_loop<Formula, T>(args); });
}

template <template <class> class Formula>
void formula_backward(const FormulaBackward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) { backward_loop<Formula, T>(args); });
}

}  // namespace lowbit::kernels::cpu
