#include <fmt/format.h>

#include <map>

#include "lowbit/core/error.h"
#include "lowbit/models/families/families.h"
#include "lowbit/models/families/layers.h"

namespace lowbit::models::families {
namespace {

enum class UnitOp { conv, norm, activation };

const std::vector<UnitOp>& unit_order(const config::ModelOptions& options) {
  using enum UnitOp;
  static const std::map<config::UnitOrder, std::vector<UnitOp>> table = {
      {config::UnitOrder::bac, {norm, activation, conv}},
      {config::UnitOrder::cba, {conv, norm, activation}},
      {config::UnitOrder::abc, {activation, norm, conv}},
  };
  config::require_order(options);
  return table.at(options.unit_order);
}

// A convolution with what stands around it, and whether pooling follows.
struct VggUnit {
  int64_t out;
  bool pool;
};
constexpr VggUnit kVggUnits[] = {{128, false}, {128, true},  {256, false},
                                 {256, true},  {512, false}, {512, true}};
constexpr int64_t kReduction = 8;  // of the resolution, by all poolings

}  // namespace

// Six units -> norm -> ReLU -> classifier of all pixels.
graph::Graph vgg_small(const config::ModelOptions& options, const graph::Dims& image) {
  const std::vector<UnitOp>& order = unit_order(options);
  if (std::min(image[1], image[2]) < kReduction)
    throw core::usage_error("--input_size {}: vgg_small needs {} pixels",
                            std::min(image[1], image[2]), kReduction);
  Builder b(options.name);
  ValueId x = b.input(image);
  b.children({"bn1", "bn3", "bn5", "bn2", "bn4", "bn6", "bn7"});
  const auto relu = [&b](ValueId y) { return b.node(b.unused_name("relu"), graph::Relu{}, {y}); };
  for (int i = 0; i < static_cast<int>(std::size(kVggUnits)); ++i) {
    // The first convolution sees the image as it is: it has no norm or activation before it.
    const bool bare = i == 0 && order.front() != UnitOp::conv;
    for (const UnitOp op : order) {
      if (op == UnitOp::conv)
        x = b.convolution(fmt::format("conv{}", i + 1), x,
                          {.out = kVggUnits[i].out,
                           .kernel = 3,
                           .padding = 1,
                           .precision = i == 0 ? Precision::fixed : Precision::free});
      else if (!bare)
        x = op == UnitOp::norm ? b.batch_norm(fmt::format("bn{}", i + 1), x, {}) : relu(x);
    }
    if (kVggUnits[i].pool)
      x = b.node(b.unused_name("pool"), graph::Pool{.kernel = 2, .stride = 2}, {x});
  }
  x = b.flatten("flatten", relu(b.batch_norm("bn7", x, {})));
  return b.finish(
      last_linear(b, "classifier", x, {.out = options.num_classes, .precision = Precision::fixed}));
}

}  // namespace lowbit::models::families
