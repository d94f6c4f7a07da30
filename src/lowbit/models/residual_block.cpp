#include "lowbit/models/residual_block.h"

#include <fmt/format.h>

#include <algorithm>

#include "lowbit/core/error.h"
#include "lowbit/nn/activation.h"
#include "lowbit/nn/norm.h"
#include "lowbit/nn/pool.h"
#include "lowbit/nn/quant_conv.h"

namespace lowbit::models {
namespace {

using config::BlockOrder;

const std::vector<OrderRow>& order_table() {
  using enum Op;
  static const std::vector<OrderRow> table = {
      {BlockOrder::cbas, "cbas", {conv, norm, activation, skip}, {conv, norm, activation}},
      {BlockOrder::cbsa, "cbsa", {conv, norm, skip, activation}, {conv, norm, activation}},
  };
  return table;
}

// Channels that the norm of a unit sees: those that leave the convolution, or enter it if the norm
// comes first.
int64_t norm_width(const std::vector<Op>& order, int64_t in, int64_t out) {
  const auto norm = std::find(order.begin(), order.end(), Op::norm);
  const auto conv = std::find(order.begin(), order.end(), Op::conv);
  return norm < conv ? in : out;
}

// [pool or identity][convolution, norm, activation in the row's order]; with `fix` without the
// activation. A shortcut that changes only the resolution is the pool alone.
nn::LayerPtr make_shortcut(const BlockShape& shape, const OrderRow& order,
                           const config::ModelOptions& options) {
  if (shape.stride == 1 && shape.in == shape.out) return nullptr;
  const bool strided_conv = options.singleconv && shape.in != shape.out;
  std::vector<nn::LayerPtr> layers;
  if (shape.stride > 1 && !strided_conv)
    layers.push_back(std::make_shared<nn::AveragePool>(shape.stride));
  else
    layers.push_back(std::make_shared<nn::Identity>());
  if (shape.in == shape.out) return std::make_shared<nn::Sequence>(layers);
  for (const Op op : order.shortcut) {
    if (op == Op::conv)
      layers.push_back(std::make_shared<nn::QuantConv2d>(
          nn::ConvShape{.in = shape.in,
                        .out = shape.out,
                        .kernel = 1,
                        .stride = strided_conv ? shape.stride : 1},
          options, /*full_precision=*/options.real_skip));
    else if (op == Op::norm)
      layers.push_back(nn::make_norm(norm_width(order.shortcut, shape.in, shape.out), options));
    else if (!options.fix)
      layers.push_back(nn::make_activation(options.activation));
  }
  return std::make_shared<nn::Sequence>(layers);
}

}  // namespace

const OrderRow& order_row(BlockOrder order) {
  std::string names;
  for (const OrderRow& row : order_table()) {
    if (row.order == order) return row;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", row.name);
  }
  throw core::usage_error("a ResNet needs the order of its blocks as a keyword: {}", names);
}

ResidualBlock::ResidualBlock(const BlockShape& shape, const config::ModelOptions& options)
    : order_(order_row(options.order)), origin_(options.origin), units_(2) {
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
        add(name("bn", i), nn::make_norm(norm_width(order_.unit, width_in(i), shape.out), options));
  shortcut_ = make_shortcut(shape, order_, options);
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
