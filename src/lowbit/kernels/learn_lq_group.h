// Where a forward pass, or LqLearn, learns: on host and device.
#pragma once

#include "lowbit/kernels/lq.h"
#include "lowbit/kernels/math/lq.h"

namespace lowbit::kernels {

// Learns the basis of a group of `size` elements from all of it.
template <class T, int digits>
LOWBIT_HOST_DEVICE void learn_lq_group(const LqLearning& learning, std::int64_t groups,
                                       std::int64_t group, std::int64_t size,
                                       const LqStatistics<digits>& all) {
  const LqSystem system{learning.bits, learning.full_range, learning.weights, size};
  const bool solved = lq_learn(system, all, static_cast<T*>(learning.basis) + group,
                               static_cast<T*>(learning.auxil) + group, groups,
                               static_cast<const T*>(learning.iteration));
  if (!solved) *learning.unsolved = 1;
}

// What a forward pass of `size` elements a group does with all of one.
template <class T, int digits>
LOWBIT_HOST_DEVICE void learn_or_pass_on(const LqForward& args, std::int64_t group,
                                         std::int64_t size, const LqStatistics<digits>& all) {
  const LqLearning& learning = args.learning;
  if (learning.sums != nullptr)
    lq_write_sums(all, size, learning.sums + group * lq_sum_count(digits));
  else
    learn_lq_group<T>(learning, args.groups.count, group, size, all);
}

// What lq_learn does with a group.
template <class T, int digits>
LOWBIT_HOST_DEVICE void learn_from_sums(const LqLearn& args, std::int64_t group) {
  std::int64_t size = 0;
  const auto all = lq_read_sums<digits>(args.learning.sums + group * lq_sum_count(digits), size);
  learn_lq_group<T>(args.learning, args.groups, group, size, all);
}

}  // namespace lowbit::kernels
