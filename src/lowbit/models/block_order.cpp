#include "lowbit/models/block_order.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "lowbit/core/error.h"

namespace lowbit::models {
namespace {

using config::BlockOrder;

const std::vector<OrderRow>& order_table() {
  using enum Op;
  using enum ShortcutStep::When;
  static const std::vector<ShortcutStep> conv_first = {{conv}, {norm}, {activation, without_fix}};
  static const std::vector<OrderRow> table = {
      {.order = BlockOrder::cbas,
       .name = "cbas",
       .unit = {conv, norm, activation, skip},
       .shortcut = conv_first,
       .fix_moves_activation = true,
       .fix_adds_norm = false},
      {.order = BlockOrder::cbsa,
       .name = "cbsa",
       .unit = {conv, norm, skip, activation},
       .shortcut = conv_first,
       .fix_moves_activation = true,
       .fix_adds_norm = false},
      {.order = BlockOrder::cabs,
       .name = "cabs",
       .unit = {conv, activation, norm, skip},
       .shortcut = conv_first,
       .fix_moves_activation = false,
       .fix_adds_norm = false},
      {.order = BlockOrder::bacs,
       .name = "bacs",
       .unit = {norm, activation, conv, skip},
       .shortcut = {{norm}, {activation}, {conv}, {norm, with_fix}},
       .fix_moves_activation = false,
       .fix_adds_norm = true},
      {.order = BlockOrder::bcas,
       .name = "bcas",
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

const OrderRow& order_row(BlockOrder order) {
  std::string names;
  for (const OrderRow& row : order_table()) {
    if (row.order == order) return row;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", row.name);
  }
  throw core::usage_error("a ResNet needs the order of its blocks as a keyword: {}", names);
}

}  // namespace lowbit::models
