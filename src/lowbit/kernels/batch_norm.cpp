#include "lowbit/kernels/batch_norm.h"

#include "lowbit/core/error.h"
#include "lowbit/kernels/check.h"
#include "lowbit/kernels/cuda/batch_norm.h"
#include "lowbit/kernels/dispatch.h"
#include "lowbit/kernels/reference/batch_norm.h"

namespace lowbit::kernels {
namespace {

void check_shape(std::string_view op, Backend backend, ScalarType type,
                 const BatchNormShape& shape) {
  if (shape.rows < 2 || shape.channels < 1 || shape.channels > kMostNormChannels)
    throw core::usage_error("{}: {} rows of {} channels", op, shape.rows, shape.channels);
  check_full_vectors(op, backend, type, shape.channels);
}

void check_quantizer(std::string_view op, const FeatureQuantizer& quantizer, const void* skip) {
  if (quantizer.kind == FeatureQuantizerKind::none) return;
  check_pointers(op, {{"level_num", quantizer.arguments.level_num}});
  if (quantizer.learns()) check_pointers(op, {{"clip_val", quantizer.arguments.clip_val}});
  if (skip != nullptr) throw core::usage_error("{}: a skip together with a quantizer", op);
}

}  // namespace

void batch_norm_forward(Backend backend, const BatchNormForward& args, Stream stream) {
  constexpr std::string_view op = "batch_norm_forward";
  check_shape(op, backend, args.x.type, args.shape);
  check_pointers(op, {{"x", args.x.data},
                      {"y", args.y.data},
                      {"weight", args.weight},
                      {"bias", args.bias},
                      {"running_mean", args.running_mean},
                      {"running_var", args.running_var},
                      {"mean", args.mean},
                      {"invstd", args.invstd}});
  check_same_type(op, args.x.type, args.y.type);
  check_quantizer(op, args.quantizer, args.skip);
  check_workspace(op, backend, args.workspace);
  dispatch(backend, args, stream, reference::batch_norm_forward, reference::batch_norm_forward,
           cuda::batch_norm_forward);
}

void batch_norm_backward(Backend backend, const BatchNormBackward& args, Stream stream) {
  constexpr std::string_view op = "batch_norm_backward";
  check_shape(op, backend, args.x.type, args.shape);
  check_pointers(op, {{"x", args.x.data},
                      {"grad_y", args.grad_y.data},
                      {"grad_x", args.grad_x.data},
                      {"weight", args.weight},
                      {"bias", args.bias},
                      {"mean", args.mean},
                      {"invstd", args.invstd},
                      {"grad_weight", args.grad_weight},
                      {"grad_bias", args.grad_bias}});
  check_same_type(op, args.x.type, args.grad_y.type);
  check_same_type(op, args.x.type, args.grad_x.type);
  if (args.y != nullptr) check_pointers(op, {{"grad_skip", args.grad_skip}});
  if (args.grad_skip != nullptr) check_pointers(op, {{"y", args.y}});
  check_quantizer(op, args.quantizer, args.y);
  if (args.quantizer.learns()) check_pointers(op, {{"grad_clip", args.grad_clip}});
  check_workspace(op, backend, args.workspace);
  dispatch(backend, args, stream, reference::batch_norm_backward, reference::batch_norm_backward,
           cuda::batch_norm_backward);
}

}  // namespace lowbit::kernels
