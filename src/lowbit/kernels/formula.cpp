#include "lowbit/kernels/formula.h"

#include "lowbit/core/error.h"
#include "lowbit/kernels/check.h"

namespace lowbit::kernels {
namespace {

void check_arguments(std::string_view op, const FormulaArguments& arguments, bool learns) {
  check_pointers(op, {{"level_num", arguments.level_num}});
  if (learns) check_pointers(op, {{"clip_val", arguments.clip_val}});
  if (!(arguments.boundary > 0))
    throw core::usage_error("{}: a boundary of {}", op, arguments.boundary);
}

}  // namespace

void check_formula(Backend backend, const FormulaForward& args, bool learns) {
  constexpr std::string_view op = "quantizer, forward";
  check_arrays(op, args.size, {{"x", args.x.data}, {"y", args.y.data}});
  check_arguments(op, args.arguments, learns);
  check_types(op, backend, args.x.type, args.y.type);
  check_groups(op, args.size, args.groups);
}

void check_formula(Backend backend, const FormulaBackward& args, bool learns) {
  constexpr std::string_view op = "quantizer, backward";
  check_arrays(op, args.size,
               {{"x", args.x.data}, {"grad_y", args.grad_y.data}, {"grad_x", args.grad_x.data}});
  check_arguments(op, args.arguments, learns);
  check_types(op, backend, args.x.type, args.grad_y.type);
  check_same_type(op, args.x.type, args.grad_x.type);
  check_groups(op, args.size, args.groups);
  if (!learns) return;
  check_pointers(op, {{"grad_clip", args.grad_clip}});
  check_workspace(op, backend, args.workspace);
}

}  // namespace lowbit::kernels
