#include "lowbit/kernels/reference/lq.h"

#include <vector>

#include "lowbit/kernels/host_lq.h"
#include "lowbit/kernels/visit.h"
#include "lowbit/kernels/visit_lq.h"

namespace lowbit::kernels::reference {
namespace {

template <class T>
void forward(const LqForward& args) {
  const T* x = static_cast<const T*>(args.x.data);
  T* y = static_cast<T*>(args.y.data);
  for (int64_t i = 0; i < args.size; ++i) {
    const LqGroup<T> lq(args, args.groups.of(i));
    y[i] = lq_value(x[i], lq.levels, lq.position(x[i]));
  }
}

template <class T, int digits>
void learn(const LqForward& args) {
  const T* x = static_cast<const T*>(args.x.data);
  std::vector<LqStatistics<digits>> all(args.groups.count);
  for (int64_t i = 0; i < args.size; ++i) {
    const int64_t group = args.groups.of(i);
    const LqGroup<T> lq(args, group);
    all[group].add(x[i], lq.codes[lq.position(x[i])]);
  }
  for (int64_t group = 0; group < args.groups.count; ++group)
    learn_or_pass_on<T>(args, group, args.size / args.groups.count, all[group]);
}

}  // namespace

void lq_build_tables(const LqBuildTables& args) {
  visit_compute_type(args.type, [&]<class T>(Type<T>) {
    for (int64_t group = 0; group < args.groups; ++group) build_lq_group<T>(args, group);
  });
}

void lq_forward(const LqForward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) {
    forward<T>(args);
    if (args.learning.basis == nullptr) return;
    visit_lq_digits(args.learning.bits, [&]<int digits>(std::integral_constant<int, digits>) {
      learn<T, digits>(args);
    });
  });
}

void lq_backward(const LqBackward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) {
    const T* levels = static_cast<const T*>(args.levels);
    for (int64_t i = 0; i < args.size; ++i) {
      const T highest = levels[(args.groups.of(i) + 1) * args.level_count - 1];
      static_cast<T*>(args.grad_x.data)[i] =
          lq_feature_gradient(static_cast<const T*>(args.x.data)[i],
                              static_cast<const T*>(args.grad_y.data)[i], highest);
    }
  });
}

}  // namespace lowbit::kernels::reference
