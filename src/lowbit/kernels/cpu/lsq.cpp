#include "lowbit/kernels/cpu/lsq.h"

#include <vector>

#include "lowbit/kernels/cpu/group_sums.h"
#include "lowbit/kernels/host_lsq.h"
#include "lowbit/kernels/math/gradscale.h"
#include "lowbit/kernels/math/lsq.h"
#include "lowbit/kernels/visit.h"

namespace lowbit::kernels::cpu {
namespace {

template <class Grid, class T, class Args>
Lsq<Grid, T> quantizer(const Args& args, int64_t group) {
  return {static_cast<const T*>(args.clip_val)[group], *static_cast<const T*>(args.level_num)};
}

template <class Grid, class T>
void forward(const LsqForward& args) {
  const T* all_x = static_cast<const T*>(args.x.data);
  T* all_y = static_cast<T*>(args.y.data);
  parallel_for(args.size, kGrain, [&](int64_t first, int64_t last) {
    for_each_run(args.groups, first, last, [&](int64_t group, int64_t begin, int64_t end) {
      const T* x = all_x + begin;
      T* y = all_y + begin;
      vector_for(end - begin, [x, y, lsq = quantizer<Grid, T>(args, group)](int64_t i) {
        y[i] = lsq.value(x[i]);
      });
    });
  });
}

template <class Grid, class T, class Args>
int64_t count_inside(const Args& args) {
  const T* all_x = static_cast<const T*>(args.x.data);
  double inside = 0;
  for (const double count :
       sum_by_group(args.size, args.groups, [&](int64_t group, int64_t begin, int64_t end) {
         const T* x = all_x + begin;
         return vector_sum(end - begin, [x, lsq = quantizer<Grid, T>(args, group)](int64_t i) {
           return lsq.inside(x[i]) ? 1 : 0;
         });
       }))
    inside += count;
  return static_cast<int64_t>(inside);
}

template <class Grid, class T>
void backward(const LsqBackward& args) {
  const T* all_x = static_cast<const T*>(args.x.data);
  const T* all_grad_y = static_cast<const T*>(args.grad_y.data);
  T* all_grad_x = static_cast<T*>(args.grad_x.data);
  const T scale = clamp_scale<T>(args, [&args] { return count_inside<Grid, T>(args); });
  const auto sums =
      sum_by_group(args.size, args.groups, [&](int64_t group, int64_t begin, int64_t end) {
        const T* x = all_x + begin;
        const T* grad_y = all_grad_y + begin;
        T* grad_x = all_grad_x + begin;
        const auto lsq = quantizer<Grid, T>(args, group);
        return vector_sum(end - begin, [=](int64_t i) {
          const FormulaGradient<T> gradient = lsq.gradient(x[i], grad_y[i], scale);
          grad_x[i] = gradient.x;
          return gradient.clip;
        });
      });
  const double factor = gradscale_factor(args.grad_scale);
  for (int64_t group = 0; group < args.groups.count; ++group)
    static_cast<T*>(args.grad_clip)[group] = static_cast<T>(
        lsq_clip_gradient(sums[group], static_cast<const T*>(args.clip_val)[group], factor));
}

}  // namespace

void lsq_forward(const LsqForward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) {
    visit_grid<T>(args.range, [&]<class Grid>(Type<Grid>) { forward<Grid, T>(args); });
  });
}

void lsq_backward(const LsqBackward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) {
    visit_grid<T>(args.range, [&]<class Grid>(Type<Grid>) { backward<Grid, T>(args); });
  });
}

void lsq_count_inside(const LsqCountInside& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) {
    visit_grid<T>(args.range, [&]<class Grid>(Type<Grid>) {
      write_counted(args, count_inside<Grid, T>(args));
    });
  });
}

}  // namespace lowbit::kernels::cpu
