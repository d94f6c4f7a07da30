#include "lowbit/deploy/finite.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

namespace lowbit::deploy {
namespace {

struct Parameter {
  const char* name;
  std::span<const float> numbers;
  bool may_be_infinite = false;
};

std::vector<Parameter> parameters_of(const packed::OperationUnion& operation) {
  if (const auto* o = operation.AsCodeConv())
    return {{"coefficients", o->coefficients}, {"bias", o->bias}};
  if (const auto* o = operation.AsRealConv()) return {{"weight", o->weight}, {"bias", o->bias}};
  if (const auto* o = operation.AsNormalize()) return {{"mean", o->mean}, {"std", o->std}};
  if (const auto* o = operation.AsAffine()) return {{"factor", o->factor}, {"shift", o->shift}};
  if (const auto* o = operation.AsActivation())
    return {{"low end", {&o->low, 1}}, {"high end", {&o->high, 1}}, {"slope", o->slope}};
  if (const auto* o = operation.AsQuantize()) return {{"thresholds", o->thresholds, true}};
  if (const auto* o = operation.AsDequantize()) return {{"levels", o->levels}};
  return {};
}

}  // namespace

std::string first_not_finite(const packed::ModelT& model) {
  for (size_t step = 0; step < model.steps.size(); ++step)
    for (const Parameter& parameter : parameters_of(model.steps[step]->operation)) {
      const bool usable = std::ranges::all_of(parameter.numbers, [&](float number) {
        return std::isfinite(number) ||
               (parameter.may_be_infinite && number == std::numeric_limits<float>::infinity());
      });
      if (usable) continue;
      const std::string& name = model.values[step + 1]->name;
      return fmt::format("{}, {}", name.empty() ? fmt::format("step {}", step) : "'" + name + "'",
                         parameter.name);
    }
  return "";
}

}  // namespace lowbit::deploy
