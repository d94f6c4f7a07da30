#include "lowbit/kernels/cpu/non_uniform.h"

#include <vector>

#include "lowbit/kernels/cpu/vector_loop.h"
#include "lowbit/kernels/math/non_uniform.h"
#include "lowbit/kernels/visit.h"

namespace lowbit::kernels::cpu {
namespace {

template <class T>
void forward(const NonUniformForward& args) {
  const T* all_x = static_cast<const T*>(args.x.data);
  T* all_y = static_cast<T*>(args.y.data);
  const T basis = non_uniform_basis<T>(args.basis);
  parallel_for(args.size, kGrain, [&](int64_t first, int64_t last) {
    for_each_run(args.groups, first, last, [&](int64_t group, int64_t begin, int64_t end) {
      const T* x = all_x + begin;
      T* y = all_y + begin;
      vector_for(end - begin, [x, y, basis, quantizer = NonUniform<T>(args.steps, group)](
                                  int64_t i) { y[i] = quantizer.value(x[i]) * basis; });
    });
  });
}

// In every group the sum over its places of the terms that terms(group, begin) gives for them:
// block by block, in that order. The function takes a place counted from `begin`.
template <class Args, class Terms>
std::vector<ThreeSums> sum_by_group(const Args& args, const Terms& terms) {
  const Groups& groups = args.groups;
  std::vector<ThreeSums> partial(block_count(args.size) * groups.count);
  for_each_block(args.size, [&](int64_t block, int64_t first, int64_t last) {
    for_each_run(groups, first, last, [&](int64_t group, int64_t begin, int64_t end) {
      const auto [a, b, c] = vector_sums<3>(end - begin, terms(group, begin));
      partial[block * groups.count + group].add({{a, b, c}});
    });
  });
  std::vector<ThreeSums> total(groups.count);
  for (size_t i = 0; i < partial.size(); ++i) total[i % total.size()].add(partial[i]);
  return total;
}

template <class T>
void fit(const NonUniformFit& args) {
  const T* all_x = static_cast<const T*>(args.x.data);
  ThreeSums sums;
  for (const ThreeSums& part : sum_by_group(args, [&](int64_t group, int64_t begin) {
         return [x = all_x + begin, quantizer = NonUniform<T>(args.steps, group),
                 counts_inside = args.counts_inside](int64_t i) {
           return non_uniform_fit_terms(quantizer, x[i], counts_inside);
         };
       }))
    sums.add(part);
  finish_non_uniform_fit<T>(args, sums);
}

template <class T>
void backward(const NonUniformBackward& args) {
  const T* all_x = static_cast<const T*>(args.x.data);
  const T* all_grad_y = static_cast<const T*>(args.grad_y.data);
  T* all_grad_x = static_cast<T*>(args.grad_x.data);
  const T basis = non_uniform_basis<T>(args.basis);
  const auto sums = sum_by_group(args, [&](int64_t group, int64_t begin) {
    return [x = all_x + begin, grad_y = all_grad_y + begin, grad_x = all_grad_x + begin, basis,
            quantizer = NonUniform<T>(args.steps, group)](int64_t i) {
      const NonUniformGradient<T> gradient = quantizer.gradient(x[i], grad_y[i] * basis);
      grad_x[i] = gradient.x;
      return gradient.slope_terms();
    };
  });
  for (int64_t group = 0; group < args.groups.count; ++group)
    write_alpha_gradients<T>(args, group, sums[group]);
}

}  // namespace

void non_uniform_forward(const NonUniformForward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) { forward<T>(args); });
}

void non_uniform_fit(const NonUniformFit& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) { fit<T>(args); });
}

void non_uniform_backward(const NonUniformBackward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) { backward<T>(args); });
}

}  // namespace lowbit::kernels::cpu
