#include "lowbit/kernels/dorefa.h"

#include "lowbit/core/error.h"
#include "lowbit/kernels/check.h"
#include "lowbit/kernels/cpu/dorefa.h"
#include "lowbit/kernels/cuda/dorefa.h"
#include "lowbit/kernels/dispatch.h"
#include "lowbit/kernels/reference/dorefa.h"

namespace lowbit::kernels {
namespace {

void check_boundary(std::string_view op, double boundary) {
  if (!(boundary > 0)) throw core::usage_error("{}: a boundary of {}", op, boundary);
}

}  // namespace

void dorefa_weight_forward(Backend backend, const DorefaWeightForward& args, Stream stream) {
  constexpr std::string_view op = "dorefa_weight_forward";
  check_arrays(op, args.size, {{"x", args.x.data}, {"y", args.y.data}});
  check_pointers(op, {{"level_num", args.level_num}});
  check_types(op, backend, args.x.type, args.y.type);
  check_boundary(op, args.boundary);
  check_workspace(op, backend, args.workspace);
  if (args.size == 0) return;
  dispatch(backend, args, stream, reference::dorefa_weight_forward, cpu::dorefa_weight_forward,
           cuda::dorefa_weight_forward);
}

void dorefa_weight_backward(Backend backend, const DorefaWeightBackward& args, Stream stream) {
  constexpr std::string_view op = "dorefa_weight_backward";
  check_arrays(op, args.size,
               {{"x", args.x.data}, {"grad_y", args.grad_y.data}, {"grad_x", args.grad_x.data}});
  check_types(op, backend, args.x.type, args.grad_y.type);
  check_same_type(op, args.x.type, args.grad_x.type);
  check_workspace(op, backend, args.workspace);
  if (args.size == 0) return;
  dispatch(backend, args, stream, reference::dorefa_weight_backward, cpu::dorefa_weight_backward,
           cuda::dorefa_weight_backward);
}

void binary_weight_forward(Backend backend, const BinaryWeightForward& args, Stream stream) {
  constexpr std::string_view op = "binary_weight_forward";
  check_arrays(op, args.size, {{"x", args.x.data}, {"y", args.y.data}});
  check_types(op, backend, args.x.type, args.y.type);
  check_workspace(op, backend, args.workspace);
  if (args.size == 0) return;
  dispatch(backend, args, stream, reference::binary_weight_forward, cpu::binary_weight_forward,
           cuda::binary_weight_forward);
}

}  // namespace lowbit::kernels
