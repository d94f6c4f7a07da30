#include "lowbit/models/inverted_residual.h"

#include <fmt/format.h>

#include "lowbit/core/error.h"
#include "lowbit/nn/activation.h"
#include "lowbit/nn/deferred.h"
#include "lowbit/nn/norm.h"
#include "lowbit/nn/quant_conv.h"

namespace lowbit::models {
namespace {

bool conv_comes_first(const config::ModelOptions& options) {
  if (options.order == config::BlockOrder::cbas) return true;
  if (options.order == config::BlockOrder::bacs) return false;
  throw core::usage_error("{} needs the order of its blocks as a keyword: cbas, bacs",
                          options.name);
}

std::vector<nn::ConvShape> conv_shapes(const InvertedShape& shape) {
  const int64_t hidden = shape.in * shape.expansion;
  std::vector<nn::ConvShape> shapes;
  if (shape.expansion != 1) shapes.push_back({.in = shape.in, .out = hidden, .kernel = 1});
  shapes.push_back({.in = hidden,
                    .out = hidden,
                    .kernel = 3,
                    .stride = shape.stride,
                    .padding = 1,
                    .groups = hidden});
  shapes.push_back({.in = hidden, .out = shape.out, .kernel = 1});
  return shapes;
}

}  // namespace

InvertedResidual::InvertedResidual(const InvertedShape& shape, const config::ModelOptions& options)
    : conv_first_(conv_comes_first(options)),
      residual_(shape.stride == 1 && shape.in == shape.out) {
  add_convs(shape, options);
  add_norms(shape, options);
  for (size_t i = 0; i < units_.size(); ++i)
    if (!conv_first_ || i + 1 < units_.size())
      units_[i].activation =
          register_module(fmt::format("relu{}", i + 1), nn::make_activation(options.activation));
  if (conv_first_ || !residual_) return;
  skip_norm_ = register_module("skip_bn", nn::make_norm(shape.out, options));
  stem_norm_ = register_module("stem_bn", nn::make_norm(shape.out, options));
}

void InvertedResidual::add_convs(const InvertedShape& shape, const config::ModelOptions& options) {
  for (const nn::ConvShape& conv : conv_shapes(shape)) {
    Unit& unit = units_.emplace_back();
    unit.conv = register_module(fmt::format("conv{}", units_.size()),
                                std::make_shared<nn::QuantConv2d>(conv, options));
  }
}

// Checkpoints list the norm of the depth-wise convolution before the one that precedes it.
void InvertedResidual::add_norms(const InvertedShape& shape, const config::ModelOptions& options) {
  const std::vector<nn::ConvShape> convs = conv_shapes(shape);
  const std::vector<size_t> order =
      convs.size() == 3 ? std::vector<size_t>{1, 0, 2} : std::vector<size_t>{0, 1};
  for (const size_t i : order)
    units_[i].norm =
        register_module(fmt::format("bn{}", i + 1),
                        nn::make_norm(conv_first_ ? convs[i].out : convs[i].in, options));
}

torch::Tensor InvertedResidual::branch(const torch::Tensor& x) const {
  nn::Deferred y(x);
  for (const Unit& unit : units_) {
    if (conv_first_) y.pass_through(*unit.conv);
    y.pass_through(*unit.norm);
    if (unit.activation) y.pass_through(*unit.activation);
    if (!conv_first_) y.pass_through(*unit.conv);
  }
  return y.tensor();
}

torch::Tensor InvertedResidual::compute(const torch::Tensor& x) {
  const torch::Tensor y = branch(x);
  if (!residual_) return y;
  return stem_norm_ ? stem_norm_->forward(y) + skip_norm_->forward(x) : x + y;
}

}  // namespace lowbit::models
