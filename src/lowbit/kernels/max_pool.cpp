#include "lowbit/kernels/max_pool.h"

#include "lowbit/core/error.h"
#include "lowbit/kernels/check.h"
#include "lowbit/kernels/cuda/max_pool.h"
#include "lowbit/kernels/dispatch.h"
#include "lowbit/kernels/reference/max_pool.h"

namespace lowbit::kernels {
namespace {

void check_axis(std::string_view op, const PoolAxis& axis) {
  const int last = axis.first_pixel(axis.windows - 1);
  if (axis.size < 1 || axis.windows < 1 || axis.kernel < 1 || axis.stride < 1 || axis.padding < 0 ||
      2 * axis.padding > axis.kernel || last >= axis.size)
    throw core::usage_error("{}: {} windows of {} of {} pixels, stride {}, padding {}", op,
                            axis.windows, axis.kernel, axis.size, axis.stride, axis.padding);
}

void check_shape(std::string_view op, const MaxPoolShape& shape) {
  if (shape.batch < 0 || shape.channels < 1)
    throw core::usage_error("{}: {} images of {} channels", op, shape.batch, shape.channels);
  check_axis(op, shape.height);
  check_axis(op, shape.width);
  if (shape.height.kernel > 255 / shape.width.kernel)
    throw core::usage_error("{}: a window of {} x {} pixels has more than 255", op,
                            shape.height.kernel, shape.width.kernel);
}

}  // namespace

void max_pool_forward(Backend backend, const MaxPoolForward& args, Stream stream) {
  constexpr std::string_view op = "max_pool_forward";
  check_shape(op, args.shape);
  if (args.shape.batch == 0) return;
  check_pointers(op, {{"x", args.x.data}, {"y", args.y.data}, {"places", args.places}});
  check_full_vectors(op, backend, args.x.type, args.shape.channels);
  check_same_type(op, args.x.type, args.y.type);
  dispatch(backend, args, stream, reference::max_pool_forward, reference::max_pool_forward,
           cuda::max_pool_forward);
}

void max_pool_backward(Backend backend, const MaxPoolBackward& args, Stream stream) {
  constexpr std::string_view op = "max_pool_backward";
  check_shape(op, args.shape);
  if (args.shape.batch == 0) return;
  check_pointers(
      op, {{"grad_y", args.grad_y.data}, {"places", args.places}, {"grad_x", args.grad_x.data}});
  check_full_vectors(op, backend, args.grad_y.type, args.shape.channels);
  check_same_type(op, args.grad_y.type, args.grad_x.type);
  dispatch(backend, args, stream, reference::max_pool_backward, reference::max_pool_backward,
           cuda::max_pool_backward);
}

}  // namespace lowbit::kernels
