#include "lowbit/runtime/chain.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "lowbit/runtime/formulas.h"

namespace lowbit::runtime {
namespace {

// Sums at a time: half of what a core's second cache has at least.
constexpr size_t kBlockSums = size_t{32} << 10;
// Numbers at a time on the way through the stages: two tiles of them stay in the first cache.
constexpr size_t kSegmentNumbers = size_t{2} << 10;
// So many thresholds are compared one after the other; more are looked up or searched.
constexpr size_t kMostCompared = 16;
// Parts of the numbers that thresholds are looked up by: of a group in proportion to them, and of
// all groups together, within the second cache.
constexpr size_t kFewestParts = 2, kMostParts = 16, kMostPartsOfGroups = size_t{1} << 14;

using Numbers = flatbuffers::Vector<float>;

// By channel, where one number may stand for all and none for `otherwise`.
std::vector<float> by_channel(const Numbers* numbers, int channels, float otherwise) {
  const bool none = !numbers || numbers->size() == 0;
  if (none || numbers->size() == 1)
    return std::vector<float>(static_cast<size_t>(channels), none ? otherwise : numbers->Get(0));
  return {numbers->begin(), numbers->end()};
}

bool all_finite(const std::vector<float>& numbers) {
  return std::ranges::all_of(numbers, [](float x) { return std::isfinite(x); });
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
                                      const Shape& out, Isa isa) {
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

// Thresholds by the parts of formulas::part_of that they are in.
struct NumberParts {
  // [groups][steps] thresholds, ascending. Empty `numbers`: they lie too close to each other.
  NumberParts(const std::vector<float>& thresholds, size_t groups) {
    const size_t steps = thresholds.size() / groups;
    for (count = kFewestParts * steps; count <= kMostParts * steps; count *= 2) {
      if (count * groups > kMostPartsOfGroups) break;
      low.clear(), scale.clear(), numbers.clear(), lower.clear();
      bool fit = true;
      for (size_t group = 0; fit && group < groups; ++group)
        fit = add(std::span(thresholds).subspan(group * steps, steps));
      if (fit) return;
    }
    numbers.clear();
  }

  size_t count = 0;  // of a group
  std::vector<float> low, scale, numbers;
  std::vector<int32_t> lower;

 private:
  bool add(std::span<const float> thresholds) {
    low.push_back(thresholds.front());
    scale.push_back(static_cast<float>(count) / (thresholds.back() - thresholds.front()));
    if (!(std::isfinite(low.back()) && std::isfinite(scale.back()) && scale.back() > 0))
      return false;
    const size_t first = numbers.size();
    numbers.resize(first + count, std::numeric_limits<float>::quiet_NaN());
    for (const float threshold : thresholds) {
      float& part =
          numbers[first + static_cast<size_t>(formulas::part_of(threshold, low.back(), scale.back(),
                                                                static_cast<float>(count - 1)))];
      if (!std::isnan(part)) return false;
      part = threshold;
    }
    int32_t below = 0;
    for (size_t i = first; i < numbers.size(); ++i) {
      lower.push_back(below);
      below += std::isnan(numbers[i]) ? 0 : 1;
    }
    return true;
  }
};

RowOperation operation_of(packed::Function function) {
  switch (function) {
    case packed::Function::relu:
      return RowOperation::relu;
    case packed::Function::clamp:
      return RowOperation::clamp;
    case packed::Function::leaky:
      return RowOperation::leaky;
    case packed::Function::absolute:
      return RowOperation::absolute;
    case packed::Function::divide_root:
      return RowOperation::divide_root;
  }
  return RowOperation::relu;
}

// swapped: what comes along the chain is the second operand.
RowOperation operation_of(packed::Arithmetic arithmetic, bool swapped) {
  switch (arithmetic) {
    case packed::Arithmetic::add:
      return RowOperation::add;
    case packed::Arithmetic::multiply:
      return RowOperation::multiply;
    case packed::Arithmetic::subtract:
      return swapped ? RowOperation::subtract_from : RowOperation::subtract;
    case packed::Arithmetic::divide:
      return swapped ? RowOperation::divide_through : RowOperation::divide;
  }
  return RowOperation::add;
}

}  // namespace

bool Chain::may_follow(const packed::Step& step) {
  switch (step.operation_type()) {
    case packed::Operation::Affine:
    case packed::Operation::Activation:
    case packed::Operation::Binary:
    case packed::Operation::Quantize:
    case packed::Operation::Dequantize:
      return true;
    default:
      return false;
  }
}

bool Chain::may_begin(const packed::Step& step) {
  return may_follow(step) || step.operation_type() == packed::Operation::CodeConv ||
         step.operation_type() == packed::Operation::Normalize;
}

Chain::Chain(const Network& network, std::span<const int> steps, std::span<const int> stored,
             Isa isa) {
  input_ = inputs_of(network.step(steps.front())).front();
  shape_ = network.types()[static_cast<size_t>(steps.front()) + 1].shape;
  in_bytes_ = network.types()[static_cast<size_t>(input_)].element_bytes();
  int before = -1;
  for (const int step : steps) {
    if (network.step(step).operation_type() == packed::Operation::CodeConv)
      add_pairs(network, step, isa);
    else
      add_stage(network, step, before, isa);
    before = step + 1;
  }
  for (const int value : stored) {
    for (Stage& stage : stages_) stage.stored |= stage.result == value;
    if (pairs_.size() > 1) pairs_.back().stage.stored |= pairs_.back().stage.result == value;
  }
  if (pairs_.size() == 1) compare_sums(isa);

  const size_t row = shape_.row();
  block_numbers_ =
      row * std::clamp<size_t>(kBlockSums / row, 1, static_cast<size_t>(shape_.height));
  const size_t channels = static_cast<size_t>(shape_.channels);
  segment_pixels_ = static_cast<int>(
      std::clamp<size_t>(kSegmentNumbers / channels, 1, static_cast<size_t>(shape_.width)));
  tile_bytes_ = aligned(static_cast<size_t>(segment_pixels_) * channels * sizeof(float));
  const size_t block = aligned(block_numbers_ * sizeof(float));
  if (!pairs_.empty()) sums_bytes_ = block;
  if (pairs_.size() > 1 && !pairs_.back().stage.stored) reals_bytes_ = block;
  for (const Pair& pair : pairs_)
    kernel_bytes_ = std::max(kernel_bytes_, aligned(pair.kernel->scratch_bytes()));
}

const char* Chain::name() const {
  return pairs_.empty() ? "rows" : pairs_.front().kernel->name();
}

int Chain::channel_block() const {
  return pairs_.size() == 1 ? pairs_.front().kernel->out_block() : shape_.channels;
}

size_t Chain::scratch_bytes() const {
  return kernel_bytes_ + sums_bytes_ + reals_bytes_ + 2 * tile_bytes_;
}

void Chain::add_pairs(const Network& network, int step, Isa isa) {
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
      stage.call.a = stage.a.data();
      stage.call.b = stage.b.data();
      stage.function =
          row_function(pairs_.empty() ? RowOperation::scale : RowOperation::scale_more, isa);
      stage.result = step + 1;
      stage.monotone = all_finite(stage.a) && all_finite(stage.b);
      pairs_.push_back(std::move(pair));
      most_sum_ =
          std::max(most_sum_, most_of(*plane, in.levels) * largest_sum(weights, shape_.channels));
    }
  in_bytes_ = sizeof(float);
  if (pairs == 1) stages_.push_back(std::move(pairs_.front().stage));
}

RowOperation Chain::set_thresholds(Stage& stage, std::vector<float> thresholds, size_t steps,
                                   size_t group_channels) const {
  const size_t channels = static_cast<size_t>(shape_.channels);
  stage.call.steps = steps;
  if (steps > kMostCompared) {
    NumberParts parts(thresholds, channels / group_channels);
    if (parts.numbers.empty()) {
      stage.numbers = std::move(thresholds);
      stage.by_channel = false;
      return RowOperation::search;
    }
    stage.a = std::move(parts.low);
    stage.b = std::move(parts.scale);
    stage.numbers = std::move(parts.numbers);
    stage.sums = std::move(parts.lower);
    stage.call.steps = parts.count;
    stage.by_channel = false;
    return RowOperation::quantize_parts;
  }
  stage.numbers.resize(steps * channels);
  for (size_t t = 0; t < steps; ++t)
    for (size_t c = 0; c < channels; ++c)
      stage.numbers[t * channels + c] = thresholds[c / group_channels * steps + t];
  return RowOperation::quantize;
}

void Chain::add_stage(const Network& network, int number, int before, Isa isa) {
  const packed::Step& step = network.step(number);
  const ValueType& type = network.types()[static_cast<size_t>(number) + 1];
  const size_t channels = static_cast<size_t>(shape_.channels);
  RowOperation operation = RowOperation::affine;
  Stage stage;
  stage.result = number + 1;
  stage.gives_codes = type.kind == packed::Kind::code;
  const auto affine = [&](const auto& parameters) {
    stage.a = by_channel(parameters.factor(), shape_.channels, formulas::kNoFactor);
    stage.b = by_channel(parameters.shift(), shape_.channels, formulas::kNoShift);
    stage.monotone = all_finite(stage.a) && all_finite(stage.b);
  };
  if (const auto* normalize = step.operation_as_Normalize()) {
    operation = RowOperation::normalize;
    affine(*normalize);
  } else if (const auto* scaled = step.operation_as_Affine()) {
    affine(*scaled);
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
    operation = set_thresholds(stage, std::move(thresholds), steps, group_channels);
    stage.call.group_channels = group_channels;
  } else if (const auto* levels = step.operation_as_Dequantize()) {
    operation = RowOperation::dequantize;
    stage.by_channel = false;
    stage.numbers.assign(levels->levels()->begin(), levels->levels()->end());
    stage.call.steps = stage.numbers.size() / static_cast<size_t>(levels->groups());
    stage.call.group_channels = channels / static_cast<size_t>(levels->groups());
  }
  stage.call.a = stage.a.data();
  stage.call.b = stage.b.data();
  stage.call.numbers = stage.numbers.data();
  stage.call.sums = stage.sums.data();
  stage.function = row_function(operation, isa);
  stages_.push_back(std::move(stage));
}

// ---- codes from sums ----

// What the first stages make of a sum for each channel; finite: whether all numbers between are.
void Chain::codes_of(std::span<const int32_t> sums, size_t stages, uint8_t* codes,
                     bool* finite) const {
  std::vector<float> from, to(sums.size());
  const void* in = sums.data();
  for (size_t i = 0; i < stages; ++i) {
    RowCall call = call_of(stages_[i], {0, shape_.channels});
    call.in = in;
    call.pixels = 1;
    call.out = i + 1 == stages ? static_cast<void*>(codes) : to.data();
    stages_[i].function(call);
    if (i + 1 < stages && finite) *finite = *finite && all_finite(to);
    from.swap(to);
    to.resize(sums.size());
    in = from.data();
  }
}

// Puts one comparing stage in the place of those up to the first codes, if they are a monotone
// function of the sum alone. Each is monotone in float32, too, where no number between is infinite:
// rounding is monotone.
void Chain::compare_sums(Isa isa) {
  size_t stages = 0;
  while (stages < stages_.size() && stages_[stages].monotone && !stages_[stages].stored) ++stages;
  if (stages == 0 || stages == stages_.size() || !stages_[stages].gives_codes ||
      stages_[stages].call.steps > kMostCompared)
    return;
  const Stage& last = stages_[stages++];
  const size_t channels = static_cast<size_t>(shape_.channels), steps = last.call.steps;
  const auto most = static_cast<int32_t>(most_sum_);
  std::vector<uint8_t> lowest(channels), highest(channels), codes(channels);
  std::vector<int32_t> sums(channels, -most);
  bool finite = true;
  codes_of(sums, stages, lowest.data(), &finite);
  sums.assign(channels, most);
  codes_of(sums, stages, highest.data(), &finite);
  if (!finite) return;

  // Of a rising function the code is the number of sums at which it reaches 1, 2, ...; of a falling
  // one it is the highest code less the number of those at which it gets below.
  Stage stage;
  stage.result = last.result;
  stage.stored = last.stored;
  stage.gives_codes = true;
  stage.sums.resize(steps * channels);
  stage.base.resize(channels);
  stage.sign.resize(channels);
  for (size_t c = 0; c < channels; ++c) {
    const bool rises = lowest[c] <= highest[c];
    stage.base[c] = rises ? 0 : static_cast<int32_t>(steps);
    stage.sign[c] = rises ? 1 : -1;
  }
  for (size_t t = 0; t < steps; ++t) {
    // The first sum at which it does; most + 1, which is never reached: it does not.
    std::vector<int64_t> low(channels, -most_sum_), high(channels, most_sum_ + 1);
    for (bool searching = true; searching;) {
      searching = false;
      for (size_t c = 0; c < channels; ++c)
        sums[c] = static_cast<int32_t>(std::min(low[c] + (high[c] - low[c]) / 2, most_sum_));
      codes_of(sums, stages, codes.data(), nullptr);
      for (size_t c = 0; c < channels; ++c) {
        if (low[c] >= high[c]) continue;
        const bool above = codes[c] > t;
        if (above == (stage.sign[c] > 0))
          high[c] = sums[c];
        else
          low[c] = int64_t{sums[c]} + 1;
        searching |= low[c] < high[c];
      }
    }
    for (size_t c = 0; c < channels; ++c)
      stage.sums[t * channels + c] = static_cast<int32_t>(low[c]);
  }
  stage.call.steps = steps;
  stage.call.sums = stage.sums.data();
  stage.call.base = stage.base.data();
  stage.call.sign = stage.sign.data();
  stage.function = row_function(RowOperation::compare, isa);
  stages_.erase(stages_.begin(), stages_.begin() + static_cast<std::ptrdiff_t>(stages));
  stages_.insert(stages_.begin(), std::move(stage));
  compares_sums_ = true;
}

// ---- running ----

RowCall Chain::call_of(const Stage& stage, Channels channels) const {
  RowCall call = stage.call;
  call.channels = channels.count();
  call.first_channel = static_cast<size_t>(channels.first);
  call.all_channels = static_cast<size_t>(shape_.channels);
  if (!stage.by_channel || channels.first == 0) return call;
  const auto move = [&](auto& numbers, const auto& of_all) {
    if (!of_all.empty()) numbers += channels.first;
  };
  move(call.a, stage.a);
  move(call.b, stage.b);
  move(call.numbers, stage.numbers);
  move(call.sums, stage.sums);
  move(call.base, stage.base);
  move(call.sign, stage.sign);
  return call;
}

// Of some channels the numbers of a pixel lie side by side, and not those of the next.
void Chain::run_row(std::span<const Tensor> values, const std::byte* in, int y, Channels channels,
                    std::byte* tiles) const {
  const auto all = static_cast<size_t>(shape_.channels);
  const int pixels = channels.count() == all ? segment_pixels_ : 1;
  for (int x = 0; x < shape_.width; x += pixels) {
    const size_t first = static_cast<size_t>(x) * all + static_cast<size_t>(channels.first);
    const void* from = in + static_cast<size_t>(x) * channels.count() * in_bytes_;
    std::byte* tile = tiles;
    for (const Stage& stage : stages_) {
      RowCall call = call_of(stage, channels);
      call.in = from;
      call.pixels = static_cast<size_t>(std::min(pixels, shape_.width - x));
      call.out = tile;
      if (stage.stored) {
        const Tensor& result = values[static_cast<size_t>(stage.result)];
        call.out = stage.gives_codes ? static_cast<void*>(result.code_row(y) + first)
                                     : result.real_row(y) + first;
      }
      if (stage.other >= 0) {
        const Tensor& other = values[static_cast<size_t>(stage.other)];
        call.other = other.real_row(other.type.shape.height == 1 ? 0 : y) +
                     static_cast<size_t>(x) * call.other_pixel +
                     static_cast<size_t>(channels.first) * call.other_channel;
      }
      stage.function(call);
      from = call.out;
      tile = tile == tiles ? tiles + tile_bytes_ : tiles;
    }
  }
}

void Chain::run_block(std::span<const Tensor> values, Rows rows, Channels channels,
                      std::byte* scratch) const {
  std::byte* sums = scratch + kernel_bytes_;
  std::byte* reals = sums + sums_bytes_;
  std::byte* tiles = reals + reals_bytes_;
  const Tensor& input = values[static_cast<size_t>(input_)];
  const std::byte* in = sums;
  if (pairs_.empty()) {
    in = static_cast<const std::byte*>(input.data) +
         static_cast<size_t>(rows.first) * shape_.row() * in_bytes_;
  } else if (pairs_.size() > 1 && pairs_.back().stage.stored) {
    const Tensor& result = values[static_cast<size_t>(pairs_.back().stage.result)];
    reals = reinterpret_cast<std::byte*>(result.real_row(rows.first));
  }
  const Region region{rows.first, rows.last, channels.first, channels.last};
  for (const Pair& pair : pairs_) {
    pair.kernel->run(input.codes(), region, reinterpret_cast<int32_t*>(sums), scratch);
    if (pairs_.size() == 1) break;
    RowCall call = call_of(pair.stage, channels);
    call.in = sums;
    call.out = reals;
    call.pixels = static_cast<size_t>(rows.last - rows.first) * static_cast<size_t>(shape_.width);
    pair.stage.function(call);
    in = reals;
  }
  const size_t row = static_cast<size_t>(shape_.width) * channels.count();
  for (int y = rows.first; y < rows.last; ++y, in += row * in_bytes_)
    run_row(values, in, y, channels, tiles);
}

void Chain::run(std::span<const Tensor> values, Rows rows, Channels channels,
                std::byte* scratch) const {
  const size_t row = static_cast<size_t>(shape_.width) * channels.count();
  const int block =
      static_cast<int>(std::min<size_t>(block_numbers_ / row, static_cast<size_t>(shape_.height)));
  for (int first = rows.first; first < rows.last; first += block)
    run_block(values, {first, std::min(first + block, rows.last)}, channels, scratch);
}

}  // namespace lowbit::runtime
