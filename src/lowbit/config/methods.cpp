#include "lowbit/config/methods.h"

#include <utility>

namespace lowbit::config {
namespace {

std::vector<MethodRow>& method_table() {
  static constexpr unsigned kLearnsClipValue = kReadsBoundary | kReadsCorrelate;
  static std::vector<MethodRow> rows = {
      {.method = Method::dorefa,
       .name = "dorefa",
       .title = "DoReFa",
       .tags = {},
       .needs = {},
       .reads = kReadsBoundary,
       .weight_reads = kReadsBoundary},
      {.method = Method::pact,
       .name = "pact",
       .title = "PACT",
       .tags = {},
       .needs = {},
       .reads = kLearnsClipValue,
       .weight_reads = kReadsBoundary,
       .of_weights = Method::dorefa},
      {.method = Method::lq,
       .name = "lq",
       .title = "LQ-Nets",
       .tags = {},
       .needs = {},
       .reads = kReadsHalfRange | kReadsGroups | kReadsScale,
       .weight_reads = kReadsHalfRange | kReadsGroups | kReadsScale},
      {.method = Method::xnor,
       .name = "xnor",
       .title = "XNOR, Bi-Real, Group-Net",
       .tags = {},
       .needs = {},
       .weight_reads = kReadsGroups},
      {.method = Method::lsq,
       .name = "lsq",
       .title = "LSQ",
       .tags = {Tag::fm, Tag::wt, Tag::ot},
       .needs = {"dorefa", "pact"},
       .reads = kReadsHalfRange | kLearnsClipValue | kReadsGroups | kReadsScale | kReadsGradScale,
       .weight_reads = kLearnsClipValue | kReadsGroups | kReadsScale | kReadsGradScale},
      {.method = Method::non_uniform,
       .name = "non-uniform",
       .title = "FATNN",
       .tags = {Tag::fm, Tag::wt},
       .needs = {"dorefa"},
       .reads = kReadsHalfRange | kReadsBoundary | kReadsGroups | kReadsScale,
       .weight_reads = kReadsGroups | kReadsScale},
  };
  return rows;
}

}  // namespace

const std::vector<MethodRow>& method_rows() {
  return method_table();
}

Method add_method(MethodRow row) {
  row.method = static_cast<Method>(method_table().size() + 1);
  method_table().push_back(std::move(row));
  return method_table().back().method;
}

const MethodRow& row_of(Method method) {
  static const MethodRow none;
  for (const MethodRow& row : method_rows())
    if (row.method == method) return row;
  return none;
}

Method method_of(Method method, Tag tag) {
  const MethodRow& row = row_of(method);
  return tag == Tag::wt && row.of_weights != Method::none ? row.of_weights : method;
}

bool reads(Method method, Tag tag, MethodOption option) {
  const MethodRow& row = row_of(method);
  return ((tag == Tag::wt ? row.weight_reads : row.reads) & option) != 0;
}

}  // namespace lowbit::config
