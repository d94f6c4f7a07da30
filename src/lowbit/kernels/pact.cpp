#include "lowbit/kernels/pact.h"

#include "lowbit/kernels/check.h"
#include "lowbit/kernels/cpu/pact.h"
#include "lowbit/kernels/cuda/pact.h"
#include "lowbit/kernels/dispatch.h"
#include "lowbit/kernels/reference/pact.h"

namespace lowbit::kernels {

void pact_forward(Backend backend, const PactForward& args, Stream stream) {
  constexpr std::string_view op = "pact_forward";
  check_arrays(op, args.size, {{"x", args.x.data}, {"y", args.y.data}});
  check_pointers(op, {{"clip_val", args.clip_val}, {"level_num", args.level_num}});
  check_types(op, backend, args.x.type, args.y.type);
  dispatch(backend, args, stream, reference::pact_forward, cpu::pact_forward, cuda::pact_forward);
}

void pact_backward(Backend backend, const PactBackward& args, Stream stream) {
  constexpr std::string_view op = "pact_backward";
  check_arrays(op, args.size,
               {{"x", args.x.data}, {"grad_y", args.grad_y.data}, {"grad_x", args.grad_x.data}});
  check_pointers(op, {{"clip_val", args.clip_val}, {"grad_clip", args.grad_clip}});
  check_types(op, backend, args.x.type, args.grad_y.type);
  check_same_type(op, args.x.type, args.grad_x.type);
  check_workspace(op, backend, args.workspace);
  dispatch(backend, args, stream, reference::pact_backward, cpu::pact_backward,
           cuda::pact_backward);
}

}  // namespace lowbit::kernels
