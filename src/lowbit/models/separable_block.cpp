#include "lowbit/models/separable_block.h"

#include "lowbit/core/error.h"
#include "lowbit/models/shortcut.h"
#include "lowbit/nn/activation.h"
#include "lowbit/nn/deferred.h"
#include "lowbit/nn/norm.h"
#include "lowbit/nn/pool.h"
#include "lowbit/nn/quant_conv.h"
#include "lowbit/nn/repeat.h"

namespace lowbit::models {
namespace {

const OrderRow& order_of(const config::ModelOptions& options) {
  using enum config::BlockOrder;
  if (options.order != cbas && options.order != cbsa && options.order != bacs)
    throw core::usage_error("{} needs the order of its blocks as a keyword: cbas, cbsa, bacs",
                            options.name);
  return order_row(options.order);
}

}  // namespace

SeparableBlock::SeparableBlock(int64_t in, int64_t out, int64_t stride,
                               const config::ModelOptions& options)
    : order_(order_of(options)),
      in_(in),
      out_(out),
      stride_(stride),
      block_skip_(options.block_skip && !options.origin) {
  // In the order of checkpoints: activations, norms, shortcut, convolutions.
  add_norms_and_activations(options);
  add_skips(options);
  add_convs(options);
}

// Norms and convolutions are the first of a list, as those of a ResNet's block are.
void SeparableBlock::add_norms_and_activations(const config::ModelOptions& options) {
  const auto add = [this](const char* list, const nn::LayerPtr& layer) {
    register_module(list, std::make_shared<nn::Sequence>(std::vector{layer}));
    return layer;
  };
  depth_.activation = add("relu1", nn::make_activation(options.activation));
  point_.activation = add("relu2", nn::make_activation(options.activation));
  depth_.norm = add("bn1", nn::make_norm(in_, options));
  point_.norm = add("bn2", nn::make_norm(order_.norm_width(in_, out_), options));
}

// With react the point-wise convolution is split where the width changes, so that each part has a
// skip of its own width.
void SeparableBlock::add_skips(const config::ModelOptions& options) {
  if (block_skip_) {
    shortcut_ = make_shortcut(in_, out_, stride_, order_, options);
    if (shortcut_) register_module("skip", shortcut_);
  }
  if (!options.bireal_skip || options.origin) return;
  const bool react = options.react && options.order != config::BlockOrder::bacs;
  if (stride_ == 1)
    depth_.skip = std::make_shared<nn::Identity>();
  else if (react)
    depth_.skip = std::make_shared<nn::AveragePool>(stride_);
  if (in_ == out_) {
    point_.skip = std::make_shared<nn::Identity>();
  } else if (react) {
    if (out_ % in_ != 0)
      throw core::usage_error("keyword 'react': {} channels cannot be repeated to {}", in_, out_)
          .detail("--width_alpha sets them.");
    point_convs_ = out_ / in_;
    point_.skip = std::make_shared<nn::RepeatChannels>(point_convs_);
  }
}

void SeparableBlock::add_convs(const config::ModelOptions& options) {
  const nn::ConvShape depth = {.in = in_,
                               .out = in_,
                               .kernel = 3,
                               .stride = stride_,
                               .padding = 1,
                               .groups = options.normal3x3 ? 1 : in_};
  const nn::ConvShape point = {.in = in_, .out = out_ / point_convs_, .kernel = 1};
  depth_.convs = {std::make_shared<nn::QuantConv2d>(depth, options, options.real_depthwise)};
  for (int64_t i = 0; i < point_convs_; ++i)
    point_.convs.push_back(
        std::make_shared<nn::QuantConv2d>(point, options, options.real_pointwise));
  register_module("depth_conv", std::make_shared<nn::Sequence>(depth_.convs));
  register_module("point_conv", std::make_shared<nn::Sequence>(point_.convs));
}

torch::Tensor SeparableBlock::run(const Unit& unit, const torch::Tensor& x,
                                  const torch::Tensor& skip) const {
  nn::Deferred y(x);
  for (const Op op : order_.unit) {
    if (op == Op::conv && unit.convs.size() > 1) {
      std::vector<torch::Tensor> parts;
      for (const nn::LayerPtr& conv : unit.convs) parts.push_back(conv->forward(y.tensor()));
      y = nn::Deferred(torch::cat(parts, 1));
    } else if (op == Op::conv) {
      y.pass_through(*unit.convs.front());
    } else if (op == Op::norm) {
      y.pass_through(*unit.norm);
    } else if (op == Op::activation) {
      y.pass_through(*unit.activation);
    } else if (skip.defined()) {
      y.add(skip);
    }
  }
  return y.tensor();
}

torch::Tensor SeparableBlock::compute(const torch::Tensor& x) {
  const auto skip_of = [](const Unit& unit, const torch::Tensor& input) {
    return unit.skip ? unit.skip->forward(input) : torch::Tensor();
  };
  const torch::Tensor y = run(depth_, x, skip_of(depth_, x));
  if (!block_skip_) return run(point_, y, skip_of(point_, y));
  return run(point_, y, shortcut_ ? shortcut_->forward(x) : x);
}

}  // namespace lowbit::models
