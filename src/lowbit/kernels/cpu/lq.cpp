#include "lowbit/kernels/cpu/lq.h"

#include <algorithm>
#include <vector>

#include "lowbit/kernels/cpu/vector_loop.h"
#include "lowbit/kernels/host_lq.h"
#include "lowbit/kernels/visit.h"
#include "lowbit/kernels/visit_lq.h"

namespace lowbit::kernels::cpu {
namespace {

template <class T>
void forward(const LqForward& args) {
  const T* x = static_cast<const T*>(args.x.data);
  T* y = static_cast<T*>(args.y.data);
  parallel_for(args.size, kGrain, [&](int64_t first, int64_t last) {
    for_each_run(args.groups, first, last, [&](int64_t group, int64_t begin, int64_t end) {
      const LqGroup<T> lq(args, group);
      for (int64_t i = begin; i < end; ++i) y[i] = lq_value(x[i], lq.levels, lq.position(x[i]));
    });
  });
}

// body(begin, end) for the stretches in memory of elements [first, last) of a group.
template <class Body>
void for_each_stretch(const Groups& groups, int64_t group, int64_t first, int64_t last,
                      const Body& body) {
  while (first < last) {
    const int64_t within = first % groups.run;
    const int64_t length = std::min(groups.run - within, last - first);
    const int64_t begin = (first / groups.run * groups.count + group) * groups.run + within;
    body(begin, begin + length);
    first += length;
  }
}

// As forward, and learns. Groups are cut into blocks of kBlock of their elements, which are then
// summed in order.
template <class T, int digits>
void forward_and_learn(const LqForward& args) {
  const T* x = static_cast<const T*>(args.x.data);
  T* y = static_cast<T*>(args.y.data);
  const int64_t per_group = args.size / args.groups.count;
  const int64_t blocks = block_count(per_group);
  std::vector<LqStatistics<digits>> parts(args.groups.count * blocks);
  const int64_t grain = std::max<int64_t>(kGrain / std::min(per_group, kBlock), 1);
  parallel_for(args.groups.count * blocks, grain, [&](int64_t first, int64_t last) {
    for (int64_t block = first; block < last; ++block) {
      const int64_t group = block / blocks, from = block % blocks * kBlock;
      const LqGroup<T> lq(args, group);
      LqStatistics<digits> part;
      for_each_stretch(args.groups, group, from, std::min(from + kBlock, per_group),
                       [&](int64_t begin, int64_t end) {
                         for (int64_t i = begin; i < end; ++i) {
                           const int position = lq.position(x[i]);
                           y[i] = lq_value(x[i], lq.levels, position);
                           part.add(x[i], lq.codes[position]);
                         }
                       });
      parts[block] = part;
    }
  });
  for (int64_t group = 0; group < args.groups.count; ++group) {
    LqStatistics<digits> all;
    for (int64_t block = 0; block < blocks; ++block) all.add(parts[group * blocks + block]);
    learn_or_pass_on<T>(args, group, args.size / args.groups.count, all);
  }
}

}  // namespace

void lq_build_tables(const LqBuildTables& args) {
  const int64_t work = int64_t{args.level_count} * args.level_count;
  parallel_for(args.groups, std::max<int64_t>(kGrain / work, 1), [&](int64_t first, int64_t last) {
    visit_compute_type(args.type, [&]<class T>(Type<T>) {
      for (int64_t group = first; group < last; ++group) build_lq_group<T>(args, group);
    });
  });
}

void lq_forward(const LqForward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) {
    if (args.learning.basis == nullptr) return forward<T>(args);
    visit_lq_digits(args.learning.bits, [&]<int digits>(std::integral_constant<int, digits>) {
      forward_and_learn<T, digits>(args);
    });
  });
}

void lq_backward(const LqBackward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) {
    const T* all_x = static_cast<const T*>(args.x.data);
    const T* all_grad_y = static_cast<const T*>(args.grad_y.data);
    T* all_grad_x = static_cast<T*>(args.grad_x.data);
    parallel_for(args.size, kGrain, [&](int64_t first, int64_t last) {
      for_each_run(args.groups, first, last, [&](int64_t group, int64_t begin, int64_t end) {
        const T highest = static_cast<const T*>(args.levels)[(group + 1) * args.level_count - 1];
        const T* x = all_x + begin;
        const T* grad_y = all_grad_y + begin;
        T* grad_x = all_grad_x + begin;
        vector_for(end - begin,
                   [=](int64_t i) { grad_x[i] = lq_feature_gradient(x[i], grad_y[i], highest); });
      });
    });
  });
}

}  // namespace lowbit::kernels::cpu
