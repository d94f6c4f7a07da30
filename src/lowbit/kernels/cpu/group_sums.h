// Sums over the groups of an array.
#pragma once

#include <cstdint>
#include <vector>

#include "lowbit/kernels/cpu/vector_loop.h"

namespace lowbit::kernels::cpu {

// In every group the sum over the blocks of each block's sum(group, begin, end), in that order.
template <class Sum>
std::vector<double> sum_by_group(std::int64_t size, const Groups& groups, const Sum& sum) {
  const auto count = static_cast<size_t>(groups.count);
  std::vector<double> partial(static_cast<size_t>(block_count(size)) * count);
  for_each_block(size, [&](std::int64_t block, std::int64_t first, std::int64_t last) {
    for_each_run(groups, first, last,
                 [&](std::int64_t group, std::int64_t begin, std::int64_t end) {
                   partial[static_cast<size_t>(block) * count + static_cast<size_t>(group)] +=
                       sum(group, begin, end);
                 });
  });
  std::vector<double> total(count);
  for (size_t i = 0; i < partial.size(); ++i) total[i % count] += partial[i];
  return total;
}

}  // namespace lowbit::kernels::cpu
