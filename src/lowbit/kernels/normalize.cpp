#include "lowbit/kernels/normalize.h"

#include "lowbit/core/error.h"
#include "lowbit/kernels/check.h"
#include "lowbit/kernels/cpu/normalize.h"
#include "lowbit/kernels/cuda/normalize.h"
#include "lowbit/kernels/dispatch.h"
#include "lowbit/kernels/reference/normalize.h"

namespace lowbit::kernels {
namespace {

void check_stretches(std::string_view op, std::int64_t size, const Groups& groups) {
  check_groups(op, size, groups);
  if (groups.run * groups.count != size)
    throw core::usage_error("{}: {} groups with runs of {} elements are not stretches of {}", op,
                            groups.count, groups.run, size);
}

void check_gradients(std::string_view op, Backend backend, std::int64_t size, const Groups& groups,
                     const Input& grad_y, const Output& grad_x, const void* std) {
  check_arrays(op, size, {{"grad_y", grad_y.data}, {"grad_x", grad_x.data}});
  check_pointers(op, {{"std", std}});
  check_types(op, backend, grad_x.type, grad_y.type);
  check_stretches(op, size, groups);
}

}  // namespace

void normalize_forward(Backend backend, const NormalizeForward& args, Stream stream) {
  constexpr std::string_view op = "normalize_forward";
  check_arrays(op, args.size, {{"x", args.x.data}, {"y", args.y.data}});
  check_pointers(op, {{"mean", args.mean}, {"std", args.std}});
  check_types(op, backend, args.x.type, args.y.type);
  check_stretches(op, args.size, args.groups);
  check_workspace(op, backend, args.workspace);
  if (args.size == 0) return;
  dispatch(backend, args, stream, reference::normalize_forward, cpu::normalize_forward,
           cuda::normalize_forward);
}

void normalize_backward(Backend backend, const NormalizeBackward& args, Stream stream) {
  check_gradients("normalize_backward", backend, args.size, args.groups, args.grad_y, args.grad_x,
                  args.std);
  if (args.size == 0) return;
  dispatch(backend, args, stream, reference::normalize_backward, cpu::normalize_backward,
           cuda::normalize_backward);
}

void restore_forward(Backend backend, const RestoreForward& args, Stream stream) {
  constexpr std::string_view op = "restore_forward";
  check_arrays(op, args.size, {{"x", args.x.data}, {"y", args.y.data}});
  check_pointers(op, {{"mean", args.mean}, {"std", args.std}});
  check_types(op, backend, args.x.type, args.y.type);
  check_stretches(op, args.size, args.groups);
  if (args.size == 0) return;
  dispatch(backend, args, stream, reference::restore_forward, cpu::restore_forward,
           cuda::restore_forward);
}

void restore_backward(Backend backend, const RestoreBackward& args, Stream stream) {
  check_gradients("restore_backward", backend, args.size, args.groups, args.grad_y, args.grad_x,
                  args.std);
  if (args.size == 0) return;
  dispatch(backend, args, stream, reference::restore_backward, cpu::restore_backward,
           cuda::restore_backward);
}

}  // namespace lowbit::kernels
