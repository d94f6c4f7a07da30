#include "lowbit/models/residual_block.h"

#include <fmt/format.h>

#include "lowbit/core/error.h"
#include "lowbit/models/block_norm.h"
#include "lowbit/models/shortcut.h"
#include "lowbit/nn/activation.h"
#include "lowbit/nn/quant_conv.h"

namespace lowbit::models {
ResidualBlock::ResidualBlock(const BlockShape& shape, const config::ModelOptions& options)
    : order_(order_row(options.order)), origin_(options.origin), units_(2) {
  if (options.origin && options.fix && order_.fix_adds_norm)
    throw core::usage_error("order {} with keyword 'fix' is not built yet", order_.name);
  const auto name = [](const char* part, size_t unit) {
    return fmt::format("{}{}", part, unit + 1);
  };
  // Registered in the order of checkpoints: activations, norms, shortcut, convolutions. Each is the
  // first of a list, because a block may have several parallel branches.
  const auto add = [&](const std::string& list, nn::LayerPtr layer) {
    register_module(list, std::make_shared<nn::Sequence>(std::vector{layer}));
    return layer;
  };
  const bool activation_behind_sum = options.origin && options.fix;
  const auto width_in = [&](size_t unit) { return unit == 0 ? shape.in : shape.out; };

  for (size_t i = 0; i < units_.size(); ++i) {
    const bool moved = activation_behind_sum && i + 1 == units_.size();
    units_[i].activation = add(name("relu", i), nn::make_activation(moved ? config::Activation::none
                                                                          : options.activation));
  }
  if (activation_behind_sum)
    fix_activation_ = register_module("fix_relu", nn::make_activation(options.activation));
  for (size_t i = 0; i < units_.size(); ++i)
    units_[i].norm =
        add(name("bn", i), make_block_norm(order_.norm_width(width_in(i), shape.out), options));
  shortcut_ = make_shortcut(shape.in, shape.out, shape.stride, order_, options);
  if (shortcut_) register_module("skip", shortcut_);
  for (size_t i = 0; i < units_.size(); ++i)
    units_[i].conv = add(name("conv", i), std::make_shared<nn::QuantConv2d>(
                                              nn::ConvShape{.in = width_in(i),
                                                            .out = shape.out,
                                                            .kernel = 3,
                                                            .stride = i == 0 ? shape.stride : 1,
                                                            .padding = 1},
                                              options));
  if (options.zero_init_residual) nn::zero_factor(*units_.back().norm);
}

torch::Tensor ResidualBlock::run(const Unit& unit, const torch::Tensor& x,
                                 const torch::Tensor& skip) const {
  torch::Tensor y = x;
  for (const Op op : order_.unit) {
    if (op == Op::conv)
      y = unit.conv->forward(y);
    else if (op == Op::norm)
      y = unit.norm->forward(y);
    else if (op == Op::activation)
      y = unit.activation->forward(y);
    else if (skip.defined())
      y = y + skip;
  }
  return y;
}

torch::Tensor ResidualBlock::compute(const torch::Tensor& x) {
  const torch::Tensor shortcut = shortcut_ ? shortcut_->forward(x) : x;
  const torch::Tensor no_skip;
  torch::Tensor y = run(units_[0], x, origin_ ? no_skip : shortcut);
  y = run(units_[1], y, origin_ ? no_skip : y);
  if (!origin_) return y;
  y = y + shortcut;
  return fix_activation_ ? fix_activation_->forward(y) : y;
}

}  // namespace lowbit::models
