// From run-time types and ranges to template arguments.
#pragma once

#include <type_traits>

#include "lowbit/kernels/lsq.h"
#include "lowbit/kernels/math/lq.h"
#include "lowbit/kernels/math/lsq.h"
#include "lowbit/kernels/types.h"

namespace lowbit::kernels {

template <class T>
struct Type {
  using type = T;
};

// visit(Type<double>) for float64 arrays, visit(Type<float>) for all others: the type to compute
// in.
template <class Visit>
void visit_compute_type(ScalarType type, const Visit& visit) {
  if (type == ScalarType::float64)
    visit(Type<double>{});
  else
    visit(Type<float>{});
}

// visit(Type<the grid of the range>).
template <class T, class Visit>
void visit_grid(LsqRange range, const Visit& visit) {
  switch (range) {
    case LsqRange::half:
      return visit(Type<LsqHalfGrid<T>>{});
    case LsqRange::full:
      return visit(Type<LsqFullGrid<T>>{});
    case LsqRange::symmetric:
      return visit(Type<LsqSymmetricGrid<T>>{});
  }
}

// visit(std::integral_constant<int, digits>), digits >= bits: how many binary digits LQ's
// statistics have room for. Few choices, as each is a kernel of its own.
template <class Visit>
void visit_lq_digits(int bits, const Visit& visit) {
  if (bits <= 2)
    visit(std::integral_constant<int, 2>{});
  else if (bits <= 4)
    visit(std::integral_constant<int, 4>{});
  else
    visit(std::integral_constant<int, kLqMaxBits>{});
}

}  // namespace lowbit::kernels
