// From LQ's number of bits to a template argument.
#pragma once

#include <type_traits>

#include "lowbit/kernels/math/lq.h"

namespace lowbit::kernels {

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
