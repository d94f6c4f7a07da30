// The loops of a formula (math/formula.h) as plain as they can be.
#pragma once

#include <vector>

#include "lowbit/kernels/formula.h"
#include "lowbit/kernels/visit.h"

namespace lowbit::kernels::reference {

// The formula of every group.
template <template <class> class Formula, class T, class Args>
std::vector<Formula<T>> formulas_of(const Args& args) {
  std::vector<Formula<T>> formulas;
  for (std::int64_t group = 0; group < args.groups.count; ++group)
    formulas.emplace_back(args.arguments, group);
  return formulas;
}

template <template <class> class Formula, class T>
void forward_loop(const FormulaForward& args) {
  const auto formulas = formulas_of<Formula, T>(args);
  const T* x = static_cast<const T*>(args.x.data);
  T* y = static_cast<T*>(args.y.data);
  for (std::int64_t i = 0; i < args.size; ++i) {
    const Formula<T>& formula = formulas[static_cast<size_t>(args.groups.of(i))];
    y[i] = formula.level(formula.code(x[i]));
  }
}

template <template <class> class Formula, class T>
void backward_loop(const FormulaBackward& args) {
  const auto formulas = formulas_of<Formula, T>(args);
  const T* x = static_cast<const T*>(args.x.data);
  const T* grad_y = static_cast<const T*>(args.grad_y.data);
  T* grad_x = static_cast<T*>(args.grad_x.data);
  std::vector<double> sums(formulas.size());
  for (std::int64_t i = 0; i < args.size; ++i) {
    const auto group = static_cast<size_t>(args.groups.of(i));
    const FormulaGradient<T> gradient = formulas[group].gradient(x[i], grad_y[i]);
    grad_x[i] = gradient.x;
    sums[group] += static_cast<double>(gradient.clip);
  }
  if constexpr (Formula<T>::kLearns)
    for (size_t group = 0; group < sums.size(); ++group)
      static_cast<T*>(args.grad_clip)[group] =
          static_cast<T>(formulas[group].clip_gradient(sums[group]));
}

template <template <class> class Formula>
void formula_forward(const FormulaForward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) { forward_loop<Formula, T>(args); });
}

template <template <class> class Formula>
void formula_backward(const FormulaBackward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) { backward_loop<Formula, T>(args); });
}

}  // namespace lowbit::kernels::reference
