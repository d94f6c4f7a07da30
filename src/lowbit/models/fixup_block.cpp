#include "lowbit/models/fixup_block.h"

#include <fmt/format.h>

#include <cmath>

#include "lowbit/core/error.h"

namespace lowbit::models {
namespace {

using config::BlockOrder;

const config::ModelOptions& checked(const config::ModelOptions& options) {
  if (options.order != BlockOrder::cbas && options.order != BlockOrder::cbsa)
    throw core::usage_error("keyword 'fixup' needs the order of blocks cbas or cbsa");
  if (options.base != 1)
    throw core::usage_error("keyword 'fixup': a block has one branch, not --base {}", options.base);
  if (options.first_conv == config::ConvForm::absent)
    throw core::usage_error("keywords 'fixup' and 'f0x0' exclude each other");
  return options;
}

}  // namespace

torch::Tensor add_scalar(const torch::Tensor& x, const torch::Tensor& parameter) {
  return parameter.defined() ? x + parameter.to(x.scalar_type()) : x;
}

FixupBlock::FixupBlock(const BlockShape& shape, const config::ModelOptions& options, int64_t stages)
    : ResidualBlock(shape, checked(options)),
      changes_shape_(!shrinks_before(shape, options) &&
                     (shape.stride > 1 || shape.in != shape.out())) {
  if (is_replaced()) return;
  const size_t convs = branches().front().size();
  scale_ = register_parameter("fixup_scale", torch::ones({1}));
  bias_before_.resize(convs);
  bias_behind_.resize(convs);
  for (size_t i = 0; i < convs && options.fixup_bias; ++i) {
    bias_before_[i] = register_parameter(fmt::format("fixup_bias{}a", i + 1), torch::zeros({1}));
    bias_behind_[i] = register_parameter(fmt::format("fixup_bias{}b", i + 1), torch::zeros({1}));
  }
  initialize(stages);
}

void FixupBlock::initialize(int64_t stages) {
  const torch::NoGradGuard no_grad;
  const Branch& branch = branches().front();
  const double exponent = -1 / (2 * static_cast<double>(branch.size()) - 2);
  const double factor = std::pow(static_cast<double>(stages), exponent);
  for (const Unit& unit : branch) weighted_conv(*unit.conv).weight().mul_(factor);
  weighted_conv(*branch.back().conv).weight().zero_();
}

torch::Tensor FixupBlock::compute_block(const torch::Tensor& x) {
  const Branch& branch = branches().front();
  torch::Tensor y = add_scalar(x, bias_before_[0]);
  const torch::Tensor& start = changes_shape_ ? y : x;
  const torch::Tensor shortcut_value = shortcut() ? shortcut()->forward(start) : start;
  for (size_t i = 0; i < branch.size(); ++i) {
    if (i > 0) y = add_scalar(y, bias_before_[i]);
    y = branch[i].conv->forward(y);
    const bool last = i + 1 == branch.size();
    const bool bias_first = !last && order().order == BlockOrder::cbsa;
    if (bias_first) y = add_scalar(y, bias_behind_[i]);
    y = branch[i].activation->forward(y);
    if (last) y = y * scale_.to(y.scalar_type());
    if (!bias_first) y = add_scalar(y, bias_behind_[i]);
  }
  return join(nn::Deferred(y), shortcut_value);
}

}  // namespace lowbit::models
