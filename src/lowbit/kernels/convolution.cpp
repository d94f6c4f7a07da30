#include "lowbit/kernels/convolution.h"

#include "lowbit/core/error.h"
#include "lowbit/kernels/check.h"
#include "lowbit/kernels/cuda/convolution.h"

namespace lowbit::kernels {
namespace {

void check_half(std::string_view op, ScalarType type) {
  if (type != ScalarType::float16 && type != ScalarType::bfloat16)
    throw core::usage_error("{}: takes float16 and bfloat16 alone", op);
}

void check_shape(std::string_view op, const ConvolutionShape& shape) {
  if (!has_convolution(shape))
    throw core::usage_error(
        "{}: no kernel of this device takes {} images of {} x {} x {}, {} channels of y, {} x {} "
        "places and stride {}",
        op, shape.batch, shape.height, shape.width, shape.in, shape.out, shape.kernel, shape.kernel,
        shape.stride);
}

}  // namespace

bool has_convolution(const ConvolutionShape& shape) {
  return cuda::has_convolution(shape);
}

std::int64_t convolution_workspace_bytes(const ConvolutionShape& shape) {
  check_shape("convolution_workspace_bytes", shape);
  return cuda::convolution_workspace_bytes(shape);
}

void convolution_forward(const ConvolutionForward& args, Stream stream) {
  constexpr std::string_view op = "convolution_forward";
  check_pointers(op, {{"x", args.x.data}, {"weight", args.weight.data}, {"y", args.y.data}});
  check_half(op, args.x.type);
  check_same_type(op, args.x.type, args.weight.type);
  check_same_type(op, args.x.type, args.y.type);
  check_shape(op, args.shape);
  cuda::convolution_forward(args, stream);
}

void convolution_backward(const ConvolutionBackward& args, Stream stream) {
  constexpr std::string_view op = "convolution_backward";
  check_pointers(op, {{"grad_y", args.grad_y.data}});
  check_half(op, args.grad_y.type);
  if (args.grad_x.data) {
    check_pointers(op, {{"weight", args.weight.data}});
    check_same_type(op, args.grad_y.type, args.weight.type);
    check_same_type(op, args.grad_y.type, args.grad_x.type);
    if (args.shape.in == 3) throw core::usage_error("{}: no gradient of 3 channels", op);
  }
  if (args.grad_weight.data) {
    check_pointers(op, {{"x", args.x.data}, {"workspace", args.workspace}});
    check_same_type(op, args.grad_y.type, args.x.type);
    check_same_type(op, args.grad_y.type, args.grad_weight.type);
  }
  check_shape(op, args.shape);
  cuda::convolution_backward(args, stream);
}

}  // namespace lowbit::kernels
