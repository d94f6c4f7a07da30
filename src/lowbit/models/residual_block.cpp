#include "lowbit/models/residual_block.h"

#include <fmt/format.h>
#include <torch/nn/modules/container/parameterlist.h>

#include "lowbit/core/error.h"
#include "lowbit/models/block_norm.h"
#include "lowbit/models/shortcut.h"
#include "lowbit/models/shrink.h"
#include "lowbit/nn/activation.h"
#include "lowbit/nn/prone_conv.h"

namespace lowbit::models {
namespace {

// Layers of checkpoints that never run: nothing in them is trained or counted.
config::ModelOptions unused(config::ModelOptions options) {
  const bool batch = options.norm != config::Norm::group && options.norm != config::Norm::instance;
  if (batch) options.norm = config::Norm::frozen_batch;
  return options;
}

}  // namespace

ResidualBlock::ResidualBlock(const BlockShape& shape, const config::ModelOptions& options)
    : order_(order_row(options.order)),
      block_skip_(options.origin || options.fixup),
      conv_skips_(!block_skip_),
      replaced_(shrinks_before(shape, options) && options.shrink_full),
      branches_(static_cast<size_t>(options.base)) {
  if (shape.bottleneck && !options.origin)
    throw core::usage_error("model '{}' needs keyword 'origin': its blocks have one skip each",
                            options.name);
  const std::vector<UnitShape> units = unit_shapes(shape, options);
  for (Branch& branch : branches_) branch.resize(units.size());
  const bool shrinks = shrinks_before(shape, options);
  if (shrinks && options.first_conv == config::ConvForm::absent) conv_skips_ = false;

  add_activations(units, options);
  add_norms(units, shape.out(), replaced_ ? unused(options) : options);
  if (replaced_)
    for (torch::Tensor& parameter : parameters()) parameter.set_requires_grad(false);
  if (shrinks)
    shrink_ = register_module("shrink", make_shrink(shape.in, shape.out(), shape.stride, options));
  if (!replaced_) {
    if (block_skip_ || conv_skips_)
      shortcut_ = make_shortcut(shrinks ? shape.out() : shape.in, shape.out(),
                                shrinks ? 1 : shape.stride, order_, options);
    if (shortcut_) register_module("skip", shortcut_);
    add_convs(units, options);
  }
  if (options.zero_init_residual) start_at_zero();
}

template <class Make>
void ResidualBlock::add_list(const std::string& name, size_t unit, nn::LayerPtr Unit::*part,
                             Make make) {
  std::vector<nn::LayerPtr> layers;
  for (Branch& branch : branches_) layers.push_back(branch[unit].*part = make());
  register_module(name, std::make_shared<nn::Sequence>(layers));
}

void ResidualBlock::add_activations(const std::vector<UnitShape>& units,
                                    const config::ModelOptions& options) {
  const bool moves = block_skip_ && options.fix && order_.fix_moves_activation;
  for (size_t i = 0; i < units.size(); ++i) {
    const bool moved = moves && i + 1 == units.size();
    add_list(fmt::format("relu{}", units[i].number), i, &Unit::activation, [&] {
      return nn::make_activation(moved ? config::Activation::none : options.activation);
    });
  }
  if (moves) fix_activation_ = register_module("fix_relu", nn::make_activation(options.activation));
}

void ResidualBlock::add_norms(const std::vector<UnitShape>& units, int64_t out,
                              const config::ModelOptions& options) {
  // The second norm comes last, as checkpoints have it.
  const auto add = [&](bool second) {
    for (size_t i = 0; i < units.size(); ++i) {
      const UnitShape& unit = units[i];
      if ((unit.number == 2) != second) continue;
      add_list(fmt::format("bn{}", unit.number), i, &Unit::norm, [&]() -> nn::LayerPtr {
        const bool inside_conv = unit.prone && options.norm_before_restore;
        if (inside_conv) return std::make_shared<nn::Identity>();
        return make_block_norm(order_.norm_width(unit.in, unit.out), options);
      });
    }
  };
  add(/*second=*/false);
  if (block_skip_ && options.fix && order_.fix_adds_norm)
    fix_norm_ = register_module("fix_bn", make_block_norm(out, options));
  add(/*second=*/true);
}

void ResidualBlock::add_convs(const std::vector<UnitShape>& units,
                              const config::ModelOptions& options) {
  for (size_t i = 0; i < units.size(); ++i)
    add_list(fmt::format("conv{}", units[i].number), i, &Unit::conv,
             [&] { return make_unit_conv(units[i], options); });
  if (branches_.size() == 1) return;
  const auto scales = register_module("scales", torch::nn::ParameterList());
  const auto count = static_cast<double>(branches_.size());
  for (size_t k = 0; k < branches_.size(); ++k)
    scales->append(torch::full({1}, 1 / count).requires_grad_());
  scales_ = scales->parameters();
}

// Keyword zir: the last norm of the branch.
void ResidualBlock::start_at_zero() {
  if (fix_norm_) return nn::zero_factor(*fix_norm_);
  for (const Branch& branch : branches_) {
    const Unit& last = branch.back();
    const auto* prone = dynamic_cast<const nn::ProneConv*>(last.conv.get());
    nn::zero_factor(prone && prone->norm() ? *prone->norm() : *last.norm);
  }
}

torch::Tensor ResidualBlock::join(nn::Deferred branch, const torch::Tensor& shortcut) const {
  if (fix_norm_) branch.pass_through(*fix_norm_);
  add_skip(branch, shortcut);
  if (fix_activation_) branch.pass_through(*fix_activation_);
  return branch.tensor();
}

nn::Deferred ResidualBlock::run_branches(const torch::Tensor& x,
                                         const torch::Tensor& shortcut) const {
  const torch::Tensor skip = conv_skips_ ? shortcut : torch::Tensor();
  if (branches_.size() == 1) return run_branch(order_, branches_.front(), x, skip);
  if (can_join(branches_)) return nn::Deferred(run_joined(order_, branches_, scales_, x, skip));
  torch::Tensor sum;
  for (size_t k = 0; k < branches_.size(); ++k) {
    torch::Tensor y = run_branch(order_, branches_[k], x, skip).tensor();
    y = y * scales_[k].to(y.scalar_type());
    sum = sum.defined() ? sum + y : y;
  }
  return nn::Deferred(sum);
}

torch::Tensor ResidualBlock::compute_block(const torch::Tensor& x) {
  const torch::Tensor shortcut = shortcut_ ? shortcut_->forward(x) : x;
  nn::Deferred sum = run_branches(x, shortcut);
  return block_skip_ ? join(std::move(sum), shortcut) : sum.tensor();
}

torch::Tensor ResidualBlock::compute(const torch::Tensor& x) {
  if (replaced_) return shrink_->forward(x);
  return compute_block(shrink_ ? shrink_->forward(x) : x);
}

}  // namespace lowbit::models
