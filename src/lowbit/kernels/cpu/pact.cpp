#include "lowbit/kernels/cpu/pact.h"

#include <vector>

#include "lowbit/kernels/cpu/vector_loop.h"
#include "lowbit/kernels/math/pact.h"
#include "lowbit/kernels/visit.h"

namespace lowbit::kernels::cpu {
namespace {

template <class T>
void forward(const PactForward& args) {
  const T* x = static_cast<const T*>(args.x.data);
  T* y = static_cast<T*>(args.y.data);
  const Pact<T> pact{*static_cast<const T*>(args.clip_val),
                     *static_cast<const T*>(args.level_num) - 1};
  parallel_for(args.size, kGrain, [=](int64_t begin, int64_t end) {
    vector_for(end - begin, [=](int64_t i) { y[begin + i] = pact.value(x[begin + i]); });
  });
}

template <class T>
void backward(const PactBackward& args) {
  const T* x = static_cast<const T*>(args.x.data);
  const T* grad_y = static_cast<const T*>(args.grad_y.data);
  T* grad_x = static_cast<T*>(args.grad_x.data);
  const T clip = *static_cast<const T*>(args.clip_val);
  std::vector<double> sums(block_count(args.size));
  for_each_block(args.size, [&](int64_t block, int64_t begin, int64_t end) {
    sums[block] = vector_sum(end - begin, [=](int64_t i) {
      const PactGradient<T> gradient = pact_gradient(x[begin + i], grad_y[begin + i], clip);
      grad_x[begin + i] = gradient.x;
      return gradient.clip;
    });
  });
  double sum = 0;
  for (const double part : sums) sum += part;
  *static_cast<T*>(args.grad_clip) = static_cast<T>(sum);
}

}  // namespace

void pact_forward(const PactForward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) { forward<T>(args); });
}

void pact_backward(const PactBackward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) { backward<T>(args); });
}

}  // namespace lowbit::kernels::cpu
