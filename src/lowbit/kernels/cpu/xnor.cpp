#include "lowbit/kernels/cpu/xnor.h"

#include "lowbit/kernels/cpu/rows.h"
#include "lowbit/kernels/math/xnor.h"
#include "lowbit/kernels/visit.h"

namespace lowbit::kernels::cpu {
namespace {

struct Sum {
  double value = 0;
  void add(const Sum& other) { value += other.value; }
};

template <class T>
T gamma_of(const void* gamma, int64_t row) {
  return gamma ? static_cast<const T*>(gamma)[row] : T(1);
}

template <class T>
void signs(const XnorForward& args) {
  parallel_for(args.size, kGrain, [&](int64_t begin, int64_t end) {
    const T* x = static_cast<const T*>(args.x.data) + begin;
    T* y = static_cast<T*>(args.y.data) + begin;
    vector_for(end - begin, [=](int64_t i) { y[i] = xnor_value(x[i], T(1), T(1)); });
  });
}

template <class T>
void means_over_rows(const XnorForward& args) {
  const T* all_x = static_cast<const T*>(args.x.data);
  T* all_y = static_cast<T*>(args.y.data);
  const int64_t length = args.means.length, rows = args.size / length;
  const auto sums = reduce_rows<Sum>(rows, length, [&](int64_t, int64_t begin, int64_t end) {
    const T* x = all_x + begin;
    return Sum{vector_sum(end - begin, [x](int64_t i) { return absolute(x[i]); })};
  });
  for_each_row_piece(rows, length, [&](int64_t row, int64_t begin, int64_t end) {
    const T* x = all_x + begin;
    T* y = all_y + begin;
    const T mean = xnor_mean<T>(sums[row].value, length), gamma = gamma_of<T>(args.gamma, row);
    vector_for(end - begin, [=](int64_t i) { y[i] = xnor_value(x[i], mean, gamma); });
  });
}

// Columns are summed side by side, this many at a time.
constexpr int64_t kColumns = 512;

// `columns` <= kColumns neighbors, each with the `length` elements below it.
template <class T>
void means_over_columns(const T* x, T* y, int64_t columns, const Means& means) {
  double sums[kColumns] = {};
  for (int64_t k = 0; k < means.length; ++k)
    vector_for(columns, [x = x + k * means.stride, s = &sums[0]](int64_t i) {
      s[i] += static_cast<double>(absolute(x[i]));
    });
  T averages[kColumns];
  for (int64_t i = 0; i < columns; ++i) averages[i] = xnor_mean<T>(sums[i], means.length);
  for (int64_t k = 0; k < means.length; ++k)
    vector_for(columns, [x = x + k * means.stride, y = y + k * means.stride, mean = &averages[0]](
                            int64_t i) { y[i] = xnor_value(x[i], mean[i], T(1)); });
}

template <class T>
void means_over_columns(const XnorForward& args) {
  const Means& means = args.means;
  const int64_t tiles = (means.stride + kColumns - 1) / kColumns;
  const int64_t slab = means.length * means.stride, slabs = args.size / slab;
  const int64_t grain =
      std::max<int64_t>(kGrain / (means.length * std::min(means.stride, kColumns)), 1);
  parallel_for(slabs * tiles, grain, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t column = i % tiles * kColumns, begin = i / tiles * slab + column;
      means_over_columns(static_cast<const T*>(args.x.data) + begin,
                         static_cast<T*>(args.y.data) + begin,
                         std::min(means.stride - column, kColumns), means);
    }
  });
}

template <class T>
void forward(const XnorForward& args) {
  if (args.means.length == 0) return signs<T>(args);
  if (args.means.stride == 1) return means_over_rows<T>(args);
  means_over_columns<T>(args);
}

template <class Mask, class T>
void gradient(const XnorBackward& args, int64_t begin, int64_t end, T gamma) {
  const T* x = static_cast<const T*>(args.x.data) + begin;
  const T* grad_y = static_cast<const T*>(args.grad_y.data) + begin;
  T* grad_x = static_cast<T*>(args.grad_x.data) + begin;
  vector_for(end - begin,
             [=](int64_t i) { grad_x[i] = xnor_gradient<Mask>(x[i], grad_y[i], gamma); });
}

template <class T>
XnorStatistics statistics_of(const XnorBackward& args, int64_t begin, int64_t end) {
  const T* x = static_cast<const T*>(args.x.data) + begin;
  const T* grad_y = static_cast<const T*>(args.grad_y.data) + begin;
  return {vector_sum(end - begin, [=](int64_t i) { return absolute(x[i]); }),
          vector_sum(end - begin, [=](int64_t i) { return with_sign_of(x[i], grad_y[i]); })};
}

template <class Mask, class T>
void backward(const XnorBackward& args) {
  if (!args.gamma)
    return parallel_for(args.size, kGrain, [&](int64_t begin, int64_t end) {
      gradient<Mask>(args, begin, end, T(1));
    });
  const int64_t length = args.means.length, rows = args.size / length;
  const auto statistics =
      reduce_rows<XnorStatistics>(rows, length, [&](int64_t row, int64_t begin, int64_t end) {
        gradient<Mask>(args, begin, end, gamma_of<T>(args.gamma, row));
        return statistics_of<T>(args, begin, end);
      });
  for (int64_t row = 0; row < rows; ++row)
    static_cast<T*>(args.grad_gamma)[row] = static_cast<T>(statistics[row].gamma_gradient(length));
}

}  // namespace

void xnor_forward(const XnorForward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) { forward<T>(args); });
}

void xnor_backward(const XnorBackward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) {
    visit_mask<T>(args.mask, [&]<class Mask>(Type<Mask>) { backward<Mask, T>(args); });
  });
}

}  // namespace lowbit::kernels::cpu
