#include "lowbit/models/families/unit_conv.h"

namespace lowbit::models::families {
namespace {

constexpr int64_t kRestoredCell = 2;  // pixels of a side

ValueId pad_to_cells(Builder& b, const std::string& name, ValueId x, int64_t cell) {
  const int64_t rest = b.dims(x)[1] % cell;
  const int64_t padding = rest == 0 ? 0 : (cell - rest) / 2;
  return padding == 0 ? x : b.node(name, graph::Pad{.padding = padding}, {x});
}

}  // namespace

ValueId unit_conv(Builder& b, const std::string& name, ValueId x, const UnitShape& unit,
                  const config::ModelOptions& options, double init_factor, double norm_weight) {
  if (!unit.prone)
    return b.convolution(name, x,
                         {.out = unit.out,
                          .kernel = unit.kernel,
                          .stride = unit.stride,
                          .padding = unit.kernel / 2,
                          .init_factor = init_factor});
  const auto scope = b.scope(name);
  const int64_t cell = kRestoredCell * unit.stride;
  x = b.node("cells", graph::SpaceToDepth{cell}, {pad_to_cells(b, "pad", x, cell)});
  x = b.convolution("conv", x,
                    {.out = unit.out * kRestoredCell * kRestoredCell, .init_factor = init_factor});
  if (options.norm_before_restore) x = norm(b, "bn", x, options, norm_weight);
  return b.node("restore", graph::DepthToSpace{kRestoredCell}, {x});
}

}  // namespace lowbit::models::families
