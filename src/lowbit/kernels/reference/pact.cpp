#include "lowbit/kernels/reference/pact.h"

#include "lowbit/kernels/math/pact.h"
#include "lowbit/kernels/visit.h"

namespace lowbit::kernels::reference {

void pact_forward(const PactForward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) {
    const Pact<T> pact{*static_cast<const T*>(args.clip_val),
                       *static_cast<const T*>(args.level_num) - 1};
    for (int64_t i = 0; i < args.size; ++i)
      static_cast<T*>(args.y.data)[i] = pact.value(static_cast<const T*>(args.x.data)[i]);
  });
}

void pact_backward(const PactBackward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) {
    const T clip = *static_cast<const T*>(args.clip_val);
    double sum = 0;
    for (int64_t i = 0; i < args.size; ++i) {
      const PactGradient<T> gradient = pact_gradient(
          static_cast<const T*>(args.x.data)[i], static_cast<const T*>(args.grad_y.data)[i], clip);
      static_cast<T*>(args.grad_x.data)[i] = gradient.x;
      sum += static_cast<double>(gradient.clip);
    }
    *static_cast<T*>(args.grad_clip) = static_cast<T>(sum);
  });
}

}  // namespace lowbit::kernels::reference
