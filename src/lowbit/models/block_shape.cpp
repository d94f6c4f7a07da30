#include "lowbit/models/block_shape.h"

#include "lowbit/core/error.h"

namespace lowbit::models {
namespace {

using config::ConvForm;

std::vector<UnitShape> usual_units(const BlockShape& shape) {
  if (!shape.bottleneck)
    return {{.number = 1, .in = shape.in, .out = shape.planes, .kernel = 3, .stride = shape.stride},
            {.number = 2, .in = shape.planes, .out = shape.planes, .kernel = 3, .stride = 1}};
  return {
      {.number = 1, .in = shape.in, .out = shape.planes, .kernel = 1, .stride = 1},
      {.number = 2, .in = shape.planes, .out = shape.planes, .kernel = 3, .stride = shape.stride},
      {.number = 3, .in = shape.planes, .out = shape.out(), .kernel = 1, .stride = 1}};
}

void make_prone(UnitShape& unit, ConvForm form, const config::ModelOptions& options) {
  unit.prone = options.prone && unit.kernel == 3 && form != ConvForm::full &&
               (unit.stride == 1 || options.prone_downsample);
}

}  // namespace

bool shrinks_before(const BlockShape& shape, const config::ModelOptions& options) {
  return options.reshape_resolution && shape.stride > 1 && options.first_conv != ConvForm::full;
}

std::vector<UnitShape> unit_shapes(const BlockShape& shape, const config::ModelOptions& options) {
  const bool shrunk = shrinks_before(shape, options);
  BlockShape rest = shape;
  if (shrunk) rest.in = shape.out(), rest.stride = 1;
  std::vector<UnitShape> units = usual_units(rest);

  // Forms other than the usual one belong to the blocks that ReShapeResolution changes; the second
  // convolution also has them with prone.
  const bool reshaped = options.reshape_resolution && shape.stride > 1;
  if (shrunk && options.first_conv == ConvForm::point) units[0].kernel = 1;
  if ((reshaped || options.prone) && options.second_conv == ConvForm::point) units[1].kernel = 1;
  make_prone(units[0], options.first_conv, options);
  make_prone(units[1], options.second_conv, options);
  if (shrunk && options.first_conv == ConvForm::absent) {
    if (shape.bottleneck)
      throw core::usage_error(
          "keyword 'f0x0': model '{}' needs the first convolution of its blocks", options.name);
    units.erase(units.begin());
  }
  return units;
}

}  // namespace lowbit::models
