#include "lowbit/kernels/reference/lsq.h"

#include <vector>

#include "lowbit/kernels/host_lsq.h"
#include "lowbit/kernels/math/gradscale.h"
#include "lowbit/kernels/math/lsq.h"
#include "lowbit/kernels/visit.h"

namespace lowbit::kernels::reference {
namespace {

// The quantizer of every group.
template <class Grid, class T, class Args>
std::vector<Lsq<Grid, T>> quantizers(const Args& args) {
  std::vector<Lsq<Grid, T>> result;
  for (int64_t group = 0; group < args.groups.count; ++group)
    result.emplace_back(static_cast<const T*>(args.clip_val)[group],
                        *static_cast<const T*>(args.level_num));
  return result;
}

template <class Grid, class T>
void forward(const LsqForward& args) {
  const auto lsq = quantizers<Grid, T>(args);
  const T* x = static_cast<const T*>(args.x.data);
  T* y = static_cast<T*>(args.y.data);
  for (int64_t i = 0; i < args.size; ++i) y[i] = lsq[args.groups.of(i)].value(x[i]);
}

template <class Grid, class T, class Args>
int64_t count_inside(const Args& args) {
  const auto lsq = quantizers<Grid, T>(args);
  int64_t inside = 0;
  for (int64_t i = 0; i < args.size; ++i)
    inside += lsq[args.groups.of(i)].inside(static_cast<const T*>(args.x.data)[i]);
  return inside;
}

template <class Grid, class T>
void backward(const LsqBackward& args) {
  const auto lsq = quantizers<Grid, T>(args);
  const T scale = clamp_scale<T>(args, [&args] { return count_inside<Grid, T>(args); });
  const T* x = static_cast<const T*>(args.x.data);
  const T* grad_y = static_cast<const T*>(args.grad_y.data);
  T* grad_x = static_cast<T*>(args.grad_x.data);
  std::vector<double> sums(lsq.size());
  for (int64_t i = 0; i < args.size; ++i) {
    const int64_t group = args.groups.of(i);
    const FormulaGradient<T> gradient = lsq[group].gradient(x[i], grad_y[i], scale);
    grad_x[i] = gradient.x;
    sums[group] += static_cast<double>(gradient.clip);
  }
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

}  // namespace lowbit::kernels::reference
