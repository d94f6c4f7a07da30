// Sizes in messages, and the checks that shape rules share.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "lowbit/core/error.h"
#include "lowbit/graph/graph.h"

namespace lowbit::graph {

// "[16, 3, 3, 3]"; of a scalar "[]"
inline std::string dims_text(const Dims& dims) {
  return fmt::format("[{}]", fmt::join(dims, ", "));
}

// A usage error unless least <= value <= kMaxSize.
inline void check_range(const char* what, int64_t value, int64_t least) {
  if (value < least || value > kMaxSize)
    throw core::usage_error("{} {} is out of range ({}..{})", what, value, least, kMaxSize);
}

// A usage error unless the input named `what` has these sizes.
inline void check_equal(const char* what, const Dims& dims, const Dims& expected) {
  if (dims != expected)
    throw core::usage_error("its {} is {}, not {}", what, dims_text(dims), dims_text(expected));
}

// A usage error unless x has the axis.
inline void check_axis(const Dims& x, int64_t axis) {
  if (axis < 0 || axis >= static_cast<int64_t>(x.size()))
    throw core::usage_error("its input {} has no axis {}", dims_text(x), axis);
}

}  // namespace lowbit::graph
