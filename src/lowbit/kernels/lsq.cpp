#include "lowbit/kernels/lsq.h"

#include "lowbit/kernels/check.h"
#include "lowbit/kernels/cpu/lsq.h"
#include "lowbit/kernels/cuda/lsq.h"
#include "lowbit/kernels/dispatch.h"
#include "lowbit/kernels/reference/lsq.h"

namespace lowbit::kernels {

void lsq_forward(Backend backend, const LsqForward& args, Stream stream) {
  constexpr std::string_view op = "lsq_forward";
  check_arrays(op, args.size, {{"x", args.x.data}, {"y", args.y.data}});
  check_pointers(op, {{"clip_val", args.clip_val}, {"level_num", args.level_num}});
  check_types(op, backend, args.x.type, args.y.type);
  check_groups(op, args.size, args.groups);
  dispatch(backend, args, stream, reference::lsq_forward, cpu::lsq_forward, cuda::lsq_forward);
}

void lsq_backward(Backend backend, const LsqBackward& args, Stream stream) {
  constexpr std::string_view op = "lsq_backward";
  check_arrays(op, args.size,
               {{"x", args.x.data}, {"grad_y", args.grad_y.data}, {"grad_x", args.grad_x.data}});
  check_pointers(
      op,
      {{"clip_val", args.clip_val}, {"level_num", args.level_num}, {"grad_clip", args.grad_clip}});
  check_types(op, backend, args.x.type, args.grad_y.type);
  check_same_type(op, args.x.type, args.grad_x.type);
  check_groups(op, args.size, args.groups);
  check_workspace(op, backend, args.workspace);
  dispatch(backend, args, stream, reference::lsq_backward, cpu::lsq_backward, cuda::lsq_backward);
}

void lsq_count_inside(Backend backend, const LsqCountInside& args, Stream stream) {
  constexpr std::string_view op = "lsq_count_inside";
  check_arrays(op, args.size, {{"x", args.x.data}});
  check_pointers(
      op, {{"clip_val", args.clip_val}, {"level_num", args.level_num}, {"counted", args.counted}});
  check_groups(op, args.size, args.groups);
  check_workspace(op, backend, args.workspace);
  dispatch(backend, args, stream, reference::lsq_count_inside, cpu::lsq_count_inside,
           cuda::lsq_count_inside);
}

}  // namespace lowbit::kernels
