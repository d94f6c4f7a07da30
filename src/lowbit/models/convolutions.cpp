#include "lowbit/models/convolutions.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "lowbit/models/evaluation.h"

namespace lowbit::models {

std::vector<ConvolutionCall> trace_convolutions(Network& network) {
  std::vector<ConvolutionCall> calls;
  const Evaluation evaluation(network);
  const int64_t pixels = network.options().input_size;
  network.probe(
      torch::zeros({1, 3, pixels, pixels}),
      [&](const nn::Layer& layer, const torch::Tensor& x, const torch::Tensor&) {
        const auto* conv = dynamic_cast<const nn::Conv2d*>(&layer);
        if (!conv) return;
        const torch::Tensor weight = layer.named_parameters(/*recurse=*/false)["weight"];
        calls.push_back({layer.path(), x.sizes().vec(), weight.sizes().vec(), conv->shape()});
      });
  return calls;
}

std::string format_convolutions(const std::vector<ConvolutionCall>& calls) {
  // No network here dilates.
  constexpr int64_t dilation = 1;
  std::string lines;
  for (const ConvolutionCall& call : calls)
    lines += fmt::format(
        "{} input [{}] weight [{}] kernel {}x{} stride {} padding {} dilation {} groups {}\n",
        call.name, fmt::join(call.input, ", "), fmt::join(call.weight, ", "), call.shape.kernel,
        call.shape.kernel, call.shape.stride, call.shape.padding, dilation, call.shape.groups);
  return lines;
}

}  // namespace lowbit::models
