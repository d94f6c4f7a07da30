#include "lowbit/models/block_order.h"

#include <algorithm>

namespace lowbit::models {
namespace {

using config::BlockOrder;

const std::vector<OrderRow>& order_table() {
  using enum Op;
  using enum ShortcutStep::When;
  static const std::vector<ShortcutStep> conv_first = {{conv}, {norm}, {activation, without_fix}};
  static const std::vector<OrderRow> table = {
      {.order = BlockOrder::cbas,
       .unit = {conv, norm, activation, skip},
       .shortcut = conv_first,
       .fix_moves_activation = true,
       .fix_adds_norm = false},
      {.order = BlockOrder::cbsa,
       .unit = {conv, norm, skip, activation},
       .shortcut = conv_first,
       .fix_moves_activation = true,
       .fix_adds_norm = false},
      {.order = BlockOrder::cabs,
       .unit = {conv, activation, norm, skip},
       .shortcut = conv_first,
       .fix_moves_activation = false,
       .fix_adds_norm = false},
      {.order = BlockOrder::bacs,
       .unit = {norm, activation, conv, skip},
       .shortcut = {{norm}, {activation}, {conv}, {norm, with_fix}},
       .fix_moves_activation = false,
       .fix_adds_norm = true},
      {.order = BlockOrder::bcas,
       .unit = {norm, conv, activation, skip},
       .shortcut = {{norm}, {conv}, {activation}, {norm, with_fix}},
       .fix_moves_activation = false,
       .fix_adds_norm = true},
  };
  return table;
}

}  // namespace

int64_t OrderRow::norm_width(int64_t in, int64_t out) const {
  const auto norm = std::find(unit.begin(), unit.end(), Op::norm);
  const auto conv = std::find(unit.begin(), unit.end(), Op::conv);
  return norm < conv ? in : out;
}

const OrderRow& order_row(const config::ModelOptions& options) {
  config::require_order(options);
  return *std::ranges::find(order_table(), options.order, &OrderRow::order);
}

}  // namespace lowbit::models
