#include "lowbit/kernels/cpu/dorefa.h"

#include <vector>

#include "lowbit/kernels/cpu/vector_loop.h"
#include "lowbit/kernels/math/dorefa.h"
#include "lowbit/kernels/visit.h"

namespace lowbit::kernels::cpu {
namespace {

template <class T, class Args>
T steps(const Args& args) {
  return *static_cast<const T*>(args.level_num) - 1;
}

// body(i) for i in [0, size), on threads and vector instructions.
template <class Body>
void map(int64_t size, const Body& body) {
  parallel_for(size, kGrain, [&](int64_t begin, int64_t end) {
    vector_for(end - begin, [begin, body](int64_t i) { body(begin + i); });
  });
}

// tanh costs more than all the rest: the weights' first pass leaves it in the output, where the
// second finds it.
template <class T>
void weight_forward(const DorefaWeightForward& args) {
  const T* x = static_cast<const T*>(args.x.data);
  T* y = static_cast<T*>(args.y.data);
  std::vector<T> maxima(block_count(args.size));
  for_each_block(args.size, [&](int64_t block, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      y[i] = hyperbolic_tangent(x[i]);
      maxima[block] = nan_max(maxima[block], absolute(y[i]));
    }
  });
  DorefaWeight<T> dorefa{static_cast<T>(args.boundary), steps<T>(args), 0};
  for (const T maximum : maxima) dorefa.max_abs = nan_max(dorefa.max_abs, maximum);
  map(args.size, [=](int64_t i) { y[i] = dorefa.value(y[i]); });
}

template <class T>
void weight_backward(const DorefaWeightBackward& args) {
  const T* x = static_cast<const T*>(args.x.data);
  const T* grad_y = static_cast<const T*>(args.grad_y.data);
  T* grad_x = static_cast<T*>(args.grad_x.data);
  std::vector<DorefaWeightStatistics<T>> parts(block_count(args.size));
  for_each_block(args.size, [&](int64_t block, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      grad_x[i] = hyperbolic_tangent(x[i]);
      parts[block].add(grad_x[i], grad_y[i]);
    }
  });
  DorefaWeightStatistics<T> all;
  for (const auto& part : parts) all.add(part);
  const DorefaWeightGradient<T> dorefa(all);
  map(args.size, [=](int64_t i) { grad_x[i] = dorefa.gradient(grad_x[i], grad_y[i]); });
}

template <class T>
void binary_forward(const BinaryWeightForward& args) {
  const T* x = static_cast<const T*>(args.x.data);
  T* y = static_cast<T*>(args.y.data);
  std::vector<double> sums(block_count(args.size));
  for_each_block(args.size, [&](int64_t block, int64_t begin, int64_t end) {
    sums[block] = vector_sum(end - begin, [=](int64_t i) { return absolute(x[begin + i]); });
  });
  double sum = 0;
  for (const double part : sums) sum += part;
  const BinaryWeight<T> binary{static_cast<T>(sum / static_cast<double>(args.size))};
  map(args.size, [=](int64_t i) { y[i] = binary.value(x[i]); });
}

}  // namespace

void dorefa_weight_forward(const DorefaWeightForward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) { weight_forward<T>(args); });
}

void dorefa_weight_backward(const DorefaWeightBackward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) { weight_backward<T>(args); });
}

void binary_weight_forward(const BinaryWeightForward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) { binary_forward<T>(args); });
}

}  // namespace lowbit::kernels::cpu
