#include "lowbit/kernels/host_lq.h"

#include "lowbit/kernels/visit.h"
#include "lowbit/kernels/visit_lq.h"

namespace lowbit::kernels {

void learn_lq(const LqLearn& args) {
  visit_compute_type(args.type, [&]<class T>(Type<T>) {
    visit_lq_digits(args.learning.bits, [&]<int digits>(std::integral_constant<int, digits>) {
      for (std::int64_t group = 0; group < args.groups; ++group)
        learn_from_sums<T, digits>(args, group);
    });
  });
}

}  // namespace lowbit::kernels
