// What the steps of a program become in a chain.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <optional>

#include "lowbit/runtime/chain.h"
#include "lowbit/runtime/formulas.h"
#include "lowbit/runtime/kernels/instruction_set.h"
#include "lowbit/runtime/lines.h"

namespace lowbit::runtime {
namespace {

// Lines are looked for where there are no more thresholds of all groups together.
constexpr size_t kMostThresholds = size_t{1} << 14;

using Numbers = flatbuffers::Vector<float>;

// By channel, where one number may stand for all and none for `otherwise`.
std::vector<float> by_channel(const Numbers* numbers, int channels, float otherwise) {
  const bool none = !numbers || numbers->size() == 0;
  if (none || numbers->size() == 1)
    return std::vector<float>(static_cast<size_t>(channels), none ? otherwise : numbers->Get(0));
  return {numbers->begin(), numbers->end()};
}

// ---- the convolution ----

// The weights where the plane's channels are, 0 elsewhere.
std::vector<int8_t> inside_plane(const std::vector<int8_t>& weights, const packed::CodePlane& plane,
                                 const packed::CodeConv& conv, const Shape& in, const Shape& out) {
  const int channels = in.channels / conv.groups(), out_channels = out.channels / conv.groups();
  const size_t per_out = weights.size() / static_cast<size_t>(out.channels);
  std::vector<int8_t> result = weights;
  for (size_t i = 0; i < result.size(); ++i) {
    const int group = static_cast<int>(i / per_out) / out_channels;
    const int channel = group * channels + static_cast<int>(i % static_cast<size_t>(channels));
    if (channel < plane.first_channel() || channel >= plane.first_channel() + plane.channels())
      result[i] = 0;
  }
  return result;
}

std::unique_ptr<ConvKernel> kernel_of(const packed::CodeConv& conv, const packed::CodePlane& plane,
                                      const std::vector<int8_t>& weights, const Shape& in,
                                      const Shape& out, const InstructionSet& isa) {
  std::vector<uint8_t> zero_points;
  ConvProblem problem{};
  problem.height = in.height;
  problem.width = in.width;
  problem.in = in.channels;
  problem.out = out.channels;
  problem.kernel = conv.window()->kernel();
  problem.stride = conv.window()->stride();
  problem.padding = conv.window()->padding();
  problem.groups = conv.groups();
  if (plane.integers() && plane.integers()->size() > 0) {
    problem.code_integers = {plane.integers()->data(), plane.integers()->size()};
  } else {
    zero_points.assign(static_cast<size_t>(in.channels), 0);
    std::ranges::copy(*plane.zero_points(), zero_points.begin() + plane.first_channel());
    problem.zero_points = zero_points;
  }
  const bool whole = plane.channels() == in.channels;
  const std::vector<int8_t> masked =
      whole ? std::vector<int8_t>() : inside_plane(weights, plane, conv, in, out);
  problem.weights = whole ? weights : masked;
  return make_conv_kernel(problem, isa);
}

// The greatest integer that a code of the plane stands for, to either side.
int64_t most_of(const packed::CodePlane& plane, int levels) {
  int64_t most = 0;
  if (plane.integers() && plane.integers()->size() > 0) {
    for (const int8_t integer : *plane.integers())
      most = std::max<int64_t>(most, std::abs(integer));
  } else {
    for (const uint8_t zero_point : *plane.zero_points())
      most = std::max<int64_t>({most, zero_point, levels - 1 - zero_point});
  }
  return most;
}

// ---- the stages ----

ElementwiseOperation operation_of(packed::Function function) {
  switch (function) {
    case packed::Function::relu:
      return ElementwiseOperation::relu;
    case packed::Function::clamp:
      return ElementwiseOperation::clamp;
    case packed::Function::leaky:
      return ElementwiseOperation::leaky;
    case packed::Function::absolute:
      return ElementwiseOperation::absolute;
    case packed::Function::divide_root:
      return ElementwiseOperation::divide_root;
  }
  return ElementwiseOperation::relu;
}

// swapped: what comes along the chain is the second operand.
ElementwiseOperation operation_of(packed::Arithmetic arithmetic, bool swapped) {
  switch (arithmetic) {
    case packed::Arithmetic::add:
      return ElementwiseOperation::add;
    case packed::Arithmetic::multiply:
      return ElementwiseOperation::multiply;
    case packed::Arithmetic::subtract:
      return swapped ? ElementwiseOperation::subtract_from : ElementwiseOperation::subtract;
    case packed::Arithmetic::divide:
      return swapped ? ElementwiseOperation::divide_through : ElementwiseOperation::divide;
  }
  return ElementwiseOperation::add;
}

}  // namespace

void Chain::set_operation(Stage& stage, ElementwiseOperation operation, const InstructionSet& isa) {
  constexpr size_t kBeyond = 64 / sizeof(float);  // ElementwiseCall
  for (std::vector<float>* numbers : {&stage.a, &stage.b, &stage.numbers})
    if (!numbers->empty()) numbers->resize(numbers->size() + kBeyond);
  for (std::vector<int32_t>* numbers : {&stage.sums, &stage.base, &stage.sign})
    if (!numbers->empty()) numbers->resize(numbers->size() + kBeyond);
  stage.call.a = stage.a.data();
  stage.call.b = stage.b.data();
  stage.call.numbers = stage.numbers.data();
  stage.call.sums = stage.sums.data();
  stage.call.base = stage.base.data();
  stage.call.sign = stage.sign.data();
  stage.function = isa.functions->of(operation);
}

void Chain::add_pairs(const Network& network, int step, const InstructionSet& isa) {
  const packed::CodeConv& conv = *network.step(step).operation_as_CodeConv();
  const ValueType& in = network.types()[static_cast<size_t>(input_)];
  const size_t channels = static_cast<size_t>(shape_.channels);
  const Weights all_weights = network.weights(step);
  const size_t pairs = conv.codes()->size() * all_weights.size();
  for (const packed::CodePlane* plane : *conv.codes())
    for (const std::vector<int8_t>& weights : all_weights) {
      Pair pair;
      pair.kernel = kernel_of(conv, *plane, weights, in.shape, shape_, isa);
      const auto first =
          conv.coefficients()->begin() + static_cast<std::ptrdiff_t>(pairs_.size() * channels);
      Stage& stage = pair.stage;
      stage.a.assign(first, first + static_cast<std::ptrdiff_t>(channels));
      const bool last = pairs_.size() + 1 == pairs;
      stage.b = by_channel(last ? conv.bias() : nullptr, shape_.channels, formulas::kNoShift);
      set_operation(stage,
                    pairs_.empty() ? ElementwiseOperation::scale : ElementwiseOperation::scale_more,
                    isa);
      stage.result = step + 1;
      stage.monotone = all_finite(stage.a) && all_finite(stage.b);
      pairs_.push_back(std::move(pair));
      most_sum_ =
          std::max(most_sum_, most_of(*plane, in.levels) * largest_sum(weights, shape_.channels));
    }
  in_bytes_ = sizeof(float);
  if (pairs == 1) stages_.push_back(std::move(pairs_.front().stage));
}

bool Chain::set_lines(Stage& stage, std::span<const float> thresholds, size_t steps,
                      size_t group_channels, int64_t& trials) const {
  const size_t channels = static_cast<size_t>(shape_.channels);
  if (steps < kFewestOfReals || thresholds.size() > kMostThresholds ||
      !spend(trials, static_cast<int64_t>(thresholds.size() * steps * 2)))
    return false;
  std::optional<Lines> lines;
  std::vector<float> factors, shifts;
  float width = 0;
  for (size_t c = 0; c < channels; ++c) {
    if (c % group_channels == 0)
      lines = lines_of_reals(thresholds.subspan(c / group_channels * steps, steps));
    if (!lines) return false;
    factors.push_back(lines->factor);
    shifts.push_back(lines->shift);
    width = std::max(width, lines->width);  // what holds between two lines holds between wider ones
  }
  stage.a = std::move(factors);
  stage.b = std::move(shifts);
  stage.call.low = width;
  stage.call.high = static_cast<float>(steps);
  return true;
}

ElementwiseOperation Chain::set_thresholds(Stage& stage, std::vector<float> thresholds,
                                           size_t steps, size_t group_channels,
                                           int64_t& trials) const {
  const size_t channels = static_cast<size_t>(shape_.channels);
  stage.call.steps = steps;
  const bool between_lines = set_lines(stage, thresholds, steps, group_channels, trials);
  if (between_lines || steps > kMostCompared) {
    stage.numbers = std::move(thresholds);
    stage.by_channel = false;
    return between_lines ? ElementwiseOperation::between_lines : ElementwiseOperation::search;
  }
  stage.numbers.resize(steps * channels);
  for (size_t t = 0; t < steps; ++t)
    for (size_t c = 0; c < channels; ++c)
      stage.numbers[t * channels + c] = thresholds[c / group_channels * steps + t];
  return ElementwiseOperation::quantize;
}

void Chain::add_stage(const Network& network, int number, int before, const InstructionSet& isa,
                      int64_t& trials) {
  const packed::Step& step = network.step(number);
  const ValueType& type = network.types()[static_cast<size_t>(number) + 1];
  const size_t channels = static_cast<size_t>(shape_.channels);
  ElementwiseOperation operation = ElementwiseOperation::affine;
  Stage stage;
  stage.result = number + 1;
  stage.gives_codes = type.kind == packed::Kind::code;
  if (const auto* normalize = step.operation_as_Normalize()) {
    operation = ElementwiseOperation::normalize;
    stage.a = by_channel(normalize->mean(), shape_.channels, 0);
    stage.b = by_channel(normalize->std(), shape_.channels, 1);
    stage.monotone = all_finite(stage.a) && all_finite(stage.b) && !std::ranges::count(stage.b, 0);
  } else if (const auto* scaled = step.operation_as_Affine()) {
    stage.a = by_channel(scaled->factor(), shape_.channels, formulas::kNoFactor);
    stage.b = by_channel(scaled->shift(), shape_.channels, formulas::kNoShift);
    stage.monotone = all_finite(stage.a) && all_finite(stage.b);
  } else if (const auto* activation = step.operation_as_Activation()) {
    using packed::Function;
    const Function function = activation->function();
    operation = operation_of(function);
    stage.call.low = activation->low();
    stage.call.high = activation->high();
    if (function == Function::leaky) stage.a = by_channel(activation->slope(), shape_.channels, 0);
    stage.monotone = function == Function::relu ||
                     (function == Function::clamp && activation->low() <= activation->high()) ||
                     (function == Function::leaky && all_finite(stage.a) &&
                      std::ranges::all_of(stage.a, [](float slope) { return slope >= 0; }));
  } else if (const auto* binary = step.operation_as_Binary()) {
    const bool swapped = before == binary->b();
    operation = operation_of(binary->arithmetic(), swapped);
    stage.other = swapped ? binary->a() : binary->b();
    const Shape& other = network.types()[static_cast<size_t>(stage.other)].shape;
    stage.call.other_pixel = other.width == 1 ? 0 : static_cast<size_t>(other.channels);
    stage.call.other_channel = other.channels == 1 ? 0 : 1;
  } else if (const auto* quantize = step.operation_as_Quantize()) {
    const size_t steps = static_cast<size_t>(type.levels) - 1;
    const size_t group_channels = channels / static_cast<size_t>(quantize->groups());
    std::vector<float> thresholds;
    if (quantize->thresholds())
      thresholds.assign(quantize->thresholds()->begin(), quantize->thresholds()->end());
    operation = set_thresholds(stage, std::move(thresholds), steps, group_channels, trials);
    stage.call.group_channels = group_channels;
  } else if (const auto* levels = step.operation_as_Dequantize()) {
    operation = ElementwiseOperation::dequantize;
    stage.by_channel = false;
    stage.numbers.assign(levels->levels()->begin(), levels->levels()->end());
    stage.call.steps = stage.numbers.size() / static_cast<size_t>(levels->groups());
    stage.call.group_channels = channels / static_cast<size_t>(levels->groups());
  }
  set_operation(stage, operation, isa);
  stages_.push_back(std::move(stage));
}

}  // namespace lowbit::runtime
