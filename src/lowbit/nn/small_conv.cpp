#include "lowbit/nn/small_conv.h"

#include <torch/autograd.h>

#include "lowbit/kernels/convolution.h"
#include "lowbit/nn/fused_passes.h"
#include "lowbit/tensor/tensor.h"

namespace lowbit::nn {
namespace {

constexpr auto kConvFormat = torch::MemoryFormat::ChannelsLast;

bool is_conv_aligned(const torch::Tensor& x) {
  return reinterpret_cast<uintptr_t>(x.const_data_ptr()) % 16 == 0;
}

kernels::ConvolutionShape conv_shape(const torch::Tensor& x, const torch::Tensor& weight,
                                     int64_t stride) {
  return {.batch = x.size(0),
          .height = x.size(2),
          .width = x.size(3),
          .in = x.size(1),
          .out = weight.size(0),
          .kernel = weight.size(2),
          .stride = stride};
}

class SmallConvFunction : public torch::autograd::Function<SmallConvFunction> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& weight, int64_t stride) {
    const kernels::ConvolutionShape shape = conv_shape(x, weight, stride);
    const torch::Tensor y =
        torch::empty({shape.batch, shape.out, shape.out_height(), shape.out_width()},
                     x.options().memory_format(kConvFormat));
    kernels::convolution_forward({.x = tensor::input(x),
                                  .weight = tensor::input(weight),
                                  .y = tensor::output(y),
                                  .shape = shape},
                                 tensor::current_stream(x.device()));
    context->save_for_backward({x, weight});
    context->saved_data["stride"] = stride;
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor &x = saved[0], &weight = saved[1];
    const kernels::ConvolutionShape shape =
        conv_shape(x, weight, context->saved_data["stride"].toInt());
    torch::Tensor grad_y = grads[0].contiguous(kConvFormat);
    if (!is_conv_aligned(grad_y)) grad_y = grad_y.clone();
    kernels::ConvolutionBackward args{.grad_y = tensor::input(grad_y),
                                      .x = tensor::input(x),
                                      .weight = tensor::input(weight),
                                      .grad_x = {},
                                      .grad_weight = {},
                                      .shape = shape};
    torch::Tensor grad_x, grad_weight, workspace;
    if (context->needs_input_grad(0)) {
      grad_x = torch::empty_like(x);
      args.grad_x = tensor::output(grad_x);
    }
    if (context->needs_input_grad(1)) {
      grad_weight = torch::empty_like(weight);
      args.grad_weight = tensor::output(grad_weight);
      workspace = torch::empty({kernels::convolution_workspace_bytes(shape)},
                               x.options().dtype(torch::kUInt8));
      args.workspace = workspace.data_ptr();
    }
    kernels::convolution_backward(args, tensor::current_stream(x.device()));
    return {grad_x, grad_weight, {}};
  }
};

// Whether both axes have the same step, and it is this one.
bool both_are(const std::vector<int64_t>& steps, int64_t step) {
  return steps[0] == step && steps[1] == step;
}

bool has_small_conv(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                    const ConvSteps& steps) {
  if (!x.is_cuda() || !uses_fused_passes(x.device()) || bias.defined()) return false;
  const torch::ScalarType type = x.scalar_type();
  if ((type != torch::kFloat16 && type != torch::kBFloat16) || weight.scalar_type() != type)
    return false;
  const int64_t kernel = weight.size(2);
  if (x.dim() != 4 || !x.is_contiguous(kConvFormat) || !is_conv_aligned(x) ||
      weight.size(3) != kernel || !both_are(steps.stride, steps.stride[0]) ||
      !both_are(steps.padding, kernel / 2) || !both_are(steps.dilation, 1) || steps.groups != 1)
    return false;
  // Images have 3 channels, and nobody asks for their gradient.
  if (x.size(1) == 3 && x.requires_grad()) return false;
  return kernels::has_convolution(conv_shape(x, weight, steps.stride[0]));
}

}  // namespace

std::optional<torch::Tensor> small_conv(const torch::Tensor& x, const torch::Tensor& weight,
                                        const torch::Tensor& bias, const ConvSteps& steps) {
  if (!has_small_conv(x, weight, bias, steps)) return std::nullopt;
  torch::Tensor rows = weight.contiguous(kConvFormat);
  if (!is_conv_aligned(rows)) rows = rows.clone();
  return SmallConvFunction::apply(x, rows, steps.stride[0]);
}

}  // namespace lowbit::nn
