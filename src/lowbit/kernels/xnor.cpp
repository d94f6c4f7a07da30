#include "lowbit/kernels/xnor.h"

#include "lowbit/core/error.h"
#include "lowbit/kernels/check.h"
#include "lowbit/kernels/cpu/xnor.h"
#include "lowbit/kernels/cuda/xnor.h"
#include "lowbit/kernels/dispatch.h"
#include "lowbit/kernels/reference/xnor.h"

namespace lowbit::kernels {
namespace {

void check_means(std::string_view op, std::int64_t size, const Means& means, const void* gamma) {
  if (means.length < 0 || means.stride < 1)
    throw core::usage_error("{}: means over {} elements with a stride of {}", op, means.length,
                            means.stride);
  if (means.length > 0 && (size % means.length != 0 || size / means.length % means.stride != 0))
    throw core::usage_error(
        "{}: {} elements do not divide into means over {} elements with a stride of {}", op, size,
        means.length, means.stride);
  if (gamma != nullptr && (means.length == 0 || means.stride != 1))
    throw core::usage_error("{}: gamma needs means with a stride of 1", op);
}

}  // namespace

void xnor_forward(Backend backend, const XnorForward& args, Stream stream) {
  constexpr std::string_view op = "xnor_forward";
  check_arrays(op, args.size, {{"x", args.x.data}, {"y", args.y.data}});
  check_types(op, backend, args.x.type, args.y.type);
  check_means(op, args.size, args.means, args.gamma);
  if (args.means.length > 0) check_workspace(op, backend, args.workspace);
  if (args.size == 0) return;
  dispatch(backend, args, stream, reference::xnor_forward, cpu::xnor_forward, cuda::xnor_forward);
}

void xnor_backward(Backend backend, const XnorBackward& args, Stream stream) {
  constexpr std::string_view op = "xnor_backward";
  check_arrays(op, args.size,
               {{"x", args.x.data}, {"grad_y", args.grad_y.data}, {"grad_x", args.grad_x.data}});
  check_types(op, backend, args.x.type, args.grad_y.type);
  check_same_type(op, args.x.type, args.grad_x.type);
  check_means(op, args.size, args.means, args.gamma);
  if (args.gamma != nullptr) {
    check_pointers(op, {{"grad_gamma", args.grad_gamma}});
    check_workspace(op, backend, args.workspace);
  }
  if (args.size == 0) return;
  dispatch(backend, args, stream, reference::xnor_backward, cpu::xnor_backward,
           cuda::xnor_backward);
}

}  // namespace lowbit::kernels
