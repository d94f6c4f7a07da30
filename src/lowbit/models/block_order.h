// The orders of convolution, norm, activation and skip in a residual block, as data.
#pragma once

#include <cstdint>
#include <vector>

#include "lowbit/config/model_options.h"

namespace lowbit::models {

// What stands around one convolution, and in which order.
enum class Op { conv, norm, activation, skip };

// A step of a shortcut that changes the width, and how the keyword `fix` decides on it.
struct ShortcutStep {
  enum class When { always, with_fix, without_fix };
  Op op;
  When when = When::always;
};

// An order keyword: a new one is a row of the table in block_order.cpp.
struct OrderRow {
  config::BlockOrder order;
  std::vector<Op> unit;                // around each convolution of the block
  std::vector<ShortcutStep> shortcut;  // around the 1x1 convolution of the shortcut
  // What `fix` with `origin` does: the activation that ends the branch moves behind the sum with
  // the shortcut, or a norm is added to the branch.
  bool fix_moves_activation, fix_adds_norm;

  // Channels that the norm of a unit sees: those that enter its convolution, or leave it.
  int64_t norm_width(int64_t in, int64_t out) const;
};

// The row of options.order. An Error (usage) lists the orders of the family where it has no such
// one.
const OrderRow& order_row(const config::ModelOptions& options);

}  // namespace lowbit::models
