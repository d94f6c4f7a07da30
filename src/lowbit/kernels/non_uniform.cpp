#include "lowbit/kernels/non_uniform.h"

#include "lowbit/core/error.h"
#include "lowbit/kernels/check.h"
#include "lowbit/kernels/cpu/non_uniform.h"
#include "lowbit/kernels/cuda/non_uniform.h"
#include "lowbit/kernels/dispatch.h"
#include "lowbit/kernels/math/non_uniform.h"
#include "lowbit/kernels/reference/non_uniform.h"
#include "lowbit/kernels/visit.h"

namespace lowbit::kernels {
namespace {

void check_steps(std::string_view op, const NonUniformSteps& steps) {
  const bool half = steps.range == NonUniformRange::half;
  if (half ? steps.count < 1 || steps.count > NonUniformSteps::kMax : steps.count != 2)
    throw core::usage_error("{}: {} steps in {}", op, steps.count,
                            half ? "half range, which has 1 to 3" : "a ternary range, which has 2");
  for (int i = 0; i < steps.count; ++i) check_pointers(op, {{"alpha", steps.alpha[i]}});
  check_pointers(op, {{"level_num", steps.level_num}});
}

void check_fit(std::string_view op, const NonUniformFit& args) {
  if (args.counts_inside) return check_pointers(op, {{"sums", args.sums}});
  check_pointers(op, {{"basis", args.basis}, {"auxil", args.auxil}, {"iteration", args.iteration}});
}

// The CPU's: a few numbers.
void fit_sums(const NonUniformFit& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) { fit_non_uniform_sums<T>(args); });
}

}  // namespace

void non_uniform_forward(Backend backend, const NonUniformForward& args, Stream stream) {
  constexpr std::string_view op = "non_uniform_forward";
  check_arrays(op, args.size, {{"x", args.x.data}, {"y", args.y.data}});
  check_steps(op, args.steps);
  check_types(op, backend, args.x.type, args.y.type);
  check_groups(op, args.size, args.groups);
  dispatch(backend, args, stream, reference::non_uniform_forward, cpu::non_uniform_forward,
           cuda::non_uniform_forward);
}

void non_uniform_fit(Backend backend, const NonUniformFit& args, Stream stream) {
  constexpr std::string_view op = "non_uniform_fit";
  check_arrays(op, args.size, {{"x", args.x.data}});
  check_fit(op, args);
  check_steps(op, args.steps);
  check_types(op, backend, args.x.type, args.x.type);
  check_groups(op, args.size, args.groups);
  check_workspace(op, backend, args.workspace);
  if (args.size == 0) return;
  dispatch(backend, args, stream, reference::non_uniform_fit, cpu::non_uniform_fit,
           cuda::non_uniform_fit);
}

void non_uniform_fit_sums(Backend backend, const NonUniformFit& args, Stream stream) {
  constexpr std::string_view op = "non_uniform_fit_sums";
  check_fit(op, args);
  check_pointers(op, {{"sums", args.sums}});
  dispatch(backend, args, stream, fit_sums, fit_sums, cuda::non_uniform_fit_sums);
}

void non_uniform_backward(Backend backend, const NonUniformBackward& args, Stream stream) {
  constexpr std::string_view op = "non_uniform_backward";
  check_arrays(op, args.size,
               {{"x", args.x.data}, {"grad_y", args.grad_y.data}, {"grad_x", args.grad_x.data}});
  check_steps(op, args.steps);
  for (int i = 0; i < args.steps.count; ++i)
    check_pointers(op, {{"grad_alpha", args.grad_alpha[i]}});
  check_types(op, backend, args.x.type, args.grad_y.type);
  check_same_type(op, args.x.type, args.grad_x.type);
  check_groups(op, args.size, args.groups);
  check_workspace(op, backend, args.workspace);
  dispatch(backend, args, stream, reference::non_uniform_backward, cpu::non_uniform_backward,
           cuda::non_uniform_backward);
}

}  // namespace lowbit::kernels
