#include "lowbit/models/families/residual_block.h"

#include <fmt/format.h>

#include <cmath>

#include "lowbit/core/error.h"
#include "lowbit/models/block_order.h"
#include "lowbit/models/families/shortcut.h"
#include "lowbit/models/families/unit_conv.h"

namespace lowbit::models::families {
namespace {

using config::BlockOrder;
using config::ConvForm;

void check_block(const BlockShape& shape, const config::ModelOptions& options) {
  if (shape.bottleneck && !options.origin)
    throw core::usage_error("model '{}' needs keyword 'origin': its blocks have one skip each",
                            options.name);
  if (!options.fixup) return;
  if (options.order != BlockOrder::cbas && options.order != BlockOrder::cbsa)
    throw core::usage_error("keyword 'fixup' needs the order of blocks cbas or cbsa");
  if (options.base != 1)
    throw core::usage_error("keyword 'fixup': a block has one branch, not --base {}", options.base);
  if (options.first_conv == ConvForm::absent)
    throw core::usage_error("keywords 'fixup' and 'f0x0' exclude each other");
}

class BlockBuilder {
 public:
  BlockBuilder(Builder& b, const BlockShape& shape, const config::ModelOptions& options,
               int64_t stages)
      : b_(b),
        shape_(shape),
        o_(options),
        order_(order_row(options)),
        units_(unit_shapes(shape, options)),
        shrinks_(shrinks_before(shape, options)),
        block_skip_(options.origin || options.fixup),
        conv_skips_(!block_skip_ && !(shrinks_ && options.first_conv == ConvForm::absent)),
        moves_activation_(block_skip_ && options.fix && order_.fix_moves_activation),
        adds_norm_(block_skip_ && options.fix && order_.fix_adds_norm) {
    if (options.fixup)
      init_factor_ =
          std::pow(static_cast<double>(stages), -1 / (2 * static_cast<double>(units_.size()) - 2));
  }

  ValueId build(ValueId x) {
    name_children();
    if (shrinks_ && o_.shrink_full) {
      add_unused_layers();
      return shrink(b_, x, shape_.out(), shape_.stride, o_);
    }
    if (shrinks_) x = shrink(b_, x, shape_.out(), shape_.stride, o_);
    return o_.fixup ? fixup(x) : usual(x);
  }

 private:
  // Checkpoints list a block's layers by kind, the second norm last.
  void name_children() {
    std::vector<std::string> names;
    const auto add = [&](const char* kind, const auto& takes) {
      for (const UnitShape& unit : units_)
        if (takes(unit)) names.push_back(fmt::format("{}{}", kind, unit.number));
    };
    const auto all = [](const UnitShape&) { return true; };
    add("relu", all);
    names.emplace_back("fix_relu");
    add("bn", [](const UnitShape& unit) { return unit.number != 2; });
    names.emplace_back("fix_bn");
    add("bn", [](const UnitShape& unit) { return unit.number == 2; });
    names.insert(names.end(), {"shrink", "skip"});
    add("conv", all);
    names.emplace_back("scales");
    b_.children(names);
  }

  static std::string name(const char* kind, const UnitShape& unit, int branch) {
    return fmt::format("{}{}.{}", kind, unit.number, branch);
  }
  bool is_last(const UnitShape& unit) const { return &unit == &units_.back(); }
  bool has_norm(const UnitShape& unit) const { return !(unit.prone && o_.norm_before_restore); }

  // Keyword zir: the last norm of the branch starts at 0.
  double norm_weight(const UnitShape& unit) const {
    return o_.zero_init_residual && !adds_norm_ && is_last(unit) ? 0 : 1;
  }
  double added_norm_weight() const { return o_.zero_init_residual ? 0 : 1; }

  config::Activation unit_activation(const UnitShape& unit) const {
    return moves_activation_ && is_last(unit) ? config::Activation::none : o_.activation;
  }

  // Of a block that its reduction replaces.
  void add_unused_layers() {
    const auto slope = [this](const std::string& layer, config::Activation kind) {
      if (kind == config::Activation::prelu) b_.prelu_slope(layer, graph::Role::frozen);
    };
    for (const UnitShape& unit : units_)
      for (int k = 0; k < o_.base; ++k) {
        slope(name("relu", unit, k), unit_activation(unit));
        if (has_norm(unit))
          unused_block_norm(b_, name("bn", unit, k), order_.norm_width(unit.in, unit.out), o_,
                            norm_weight(unit));
      }
    if (moves_activation_) slope("fix_relu", o_.activation);
    if (adds_norm_) unused_block_norm(b_, "fix_bn", shape_.out(), o_, added_norm_weight());
  }

  ValueId unit_conv(const UnitShape& unit, int branch, ValueId x) {
    const double factor = o_.fixup && is_last(unit) ? 0 : init_factor_;
    return families::unit_conv(b_, name("conv", unit, branch), x, unit, o_, factor,
                               norm_weight(unit));
  }

  ValueId unit_norm(const UnitShape& unit, int branch, ValueId x) {
    return has_norm(unit) ? block_norm(b_, name("bn", unit, branch), x, o_, norm_weight(unit)) : x;
  }

  // skip: what is added after the first unit where the order says so; after each further one it is
  // what entered that.
  ValueId branch(int k, ValueId x, ValueId skip) {
    ValueId y = x;
    for (const UnitShape& unit : units_) {
      for (const Op op : order_.unit) {
        if (op == Op::conv)
          y = unit_conv(unit, k, y);
        else if (op == Op::norm)
          y = unit_norm(unit, k, y);
        else if (op == Op::activation)
          y = activation(b_, name("relu", unit, k), y, unit_activation(unit));
        else if (conv_skips_)
          y = add_skip(b_, name("add", unit, k), y, skip);
      }
      skip = y;
    }
    return y;
  }

  // The sum of the branches.
  ValueId branches(ValueId x, ValueId skip) {
    if (o_.base == 1) return branch(0, x, skip);
    ValueId sum{};
    for (int k = 0; k < o_.base; ++k) {
      const ValueId y = branch(k, x, skip);
      const ValueId scale = b_.parameter(fmt::format("scales.{}", k), {1}, graph::Role::trained,
                                         {.value = 1.0 / o_.base});
      const ValueId scaled = b_.multiply(fmt::format("scale.{}", k), y, scale);
      sum = k == 0 ? scaled : b_.add(fmt::format("sum.{}", k), sum, scaled);
    }
    return sum;
  }

  ValueId block_shortcut(ValueId x) {
    return shortcut(b_, x, shape_.out(), shrinks_ ? 1 : shape_.stride, order_, o_);
  }

  // The end of a block with one skip.
  ValueId join(ValueId y, ValueId skip) {
    if (adds_norm_) y = block_norm(b_, "fix_bn", y, o_, added_norm_weight());
    y = add_skip(b_, "add", y, skip);
    return moves_activation_ ? activation(b_, "fix_relu", y, o_.activation) : y;
  }

  ValueId usual(ValueId x) {
    const ValueId skip = block_skip_ || conv_skips_ ? block_shortcut(x) : x;
    const ValueId y = branches(x, skip);
    return block_skip_ ? join(y, skip) : y;
  }

  // Of convolution `unit`: 1a, 1b, ...
  ValueId add_bias(ValueId x, const UnitShape& unit, char which, ValueId bias) {
    if (!o_.fixup_bias) return x;
    return b_.add(fmt::format("add_bias{}{}", unit.number, which), x, bias);
  }

  ValueId fixup(ValueId x) {
    const ValueId scale = b_.parameter("fixup_scale", {1}, graph::Role::trained, {.value = 1});
    std::vector<ValueId> before(units_.size()), behind(units_.size());
    for (size_t i = 0; i < units_.size() && o_.fixup_bias; ++i) {
      const auto bias = [&](char which) {
        return b_.parameter(fmt::format("fixup_bias{}{}", i + 1, which), {1}, graph::Role::trained,
                            {.value = 0});
      };
      before[i] = bias('a');
      behind[i] = bias('b');
    }
    ValueId y = add_bias(x, units_[0], 'a', before[0]);
    const bool changes_shape = !shrinks_ && (shape_.stride > 1 || shape_.in != shape_.out());
    const ValueId skip = block_shortcut(changes_shape ? y : x);
    for (size_t i = 0; i < units_.size(); ++i) {
      const UnitShape& unit = units_[i];
      if (i > 0) y = add_bias(y, unit, 'a', before[i]);
      y = unit_conv(unit, 0, y);
      const bool bias_first = !is_last(unit) && order_.order == BlockOrder::cbsa;
      if (bias_first) y = add_bias(y, unit, 'b', behind[i]);
      y = activation(b_, name("relu", unit, 0), y, unit_activation(unit));
      if (is_last(unit)) y = b_.multiply("scale", y, scale);
      if (!bias_first) y = add_bias(y, unit, 'b', behind[i]);
    }
    return join(y, skip);
  }

  Builder& b_;
  const BlockShape& shape_;
  const config::ModelOptions& o_;
  const OrderRow& order_;
  const std::vector<UnitShape> units_;
  const bool shrinks_;                       // a reduction precedes the block
  const bool block_skip_, conv_skips_;       // one around the block, one around each convolution
  const bool moves_activation_, adds_norm_;  // what `fix` does
  double init_factor_ = 1;
};

}  // namespace

ValueId residual_block(Builder& b, ValueId x, const BlockShape& shape,
                       const config::ModelOptions& options, int64_t stages) {
  check_block(shape, options);
  return BlockBuilder(b, shape, options, stages).build(x);
}

}  // namespace lowbit::models::families
