// Codes from comparing integer sums.
#include <algorithm>
#include <cmath>

#include "lowbit/runtime/chain.h"
#include "lowbit/runtime/lines.h"

namespace lowbit::runtime {

bool Chain::all_finite(std::span<const float> numbers) {
  return std::ranges::all_of(numbers, [](float x) { return std::isfinite(x); });
}

// What the first stages make of a sum for each channel; finite: whether all numbers between are.
void Chain::codes_of(std::span<const int32_t> sums, size_t stages, uint8_t* codes,
                     bool* finite) const {
  std::vector<float> from, to(sums.size());
  const void* in = sums.data();
  for (size_t i = 0; i < stages; ++i) {
    ElementwiseCall call = call_of(stages_[i], {0, shape_.channels});
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

// Lines in the place of the thresholds, if each channel has one.
bool Chain::set_lines(Stage& stage) const {
  const size_t channels = static_cast<size_t>(shape_.channels), steps = stage.call.steps;
  std::vector<float> factors, shifts;
  std::vector<int32_t> thresholds(steps);
  for (size_t c = 0; c < channels; ++c) {
    for (size_t t = 0; t < steps; ++t) thresholds[t] = stage.sums[t * channels + c];
    const std::optional<Lines> line = line_of_sums(thresholds, stage.sign[c] < 0, most_sum_);
    if (!line) return false;
    factors.push_back(line->factor);
    shifts.push_back(line->shift);
  }
  stage.a = std::move(factors);
  stage.b = std::move(shifts);
  stage.call.high = static_cast<float>(steps);
  stage.sums.clear(), stage.base.clear(), stage.sign.clear();
  return true;
}

// Puts one comparing stage in the place of those up to the first codes, if they are a monotone
// function of the sum alone. Each is monotone in float32, too, where no number between is infinite:
// rounding is monotone.
void Chain::compare_sums(const InstructionSet& isa, int64_t& trials) {
  size_t stages = 0;
  while (stages < stages_.size() && stages_[stages].monotone && !stages_[stages].stored) ++stages;
  if (stages == 0 || stages == stages_.size() || !stages_[stages].gives_codes ||
      stages_[stages].call.steps > kMostCompared)
    return;
  const Stage& last = stages_[stages++];
  const size_t channels = static_cast<size_t>(shape_.channels), steps = last.call.steps;
  // Each stage for each bit of a sum, and the corners of lines.
  constexpr size_t kSumBits = 32;
  const size_t needed = channels * (steps + 1) * (stages * kSumBits + steps);
  if (!spend(trials, static_cast<int64_t>(needed))) return;
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
  follows_lines_ = steps >= kFewestOfSums && set_lines(stage);
  set_operation(stage,
                follows_lines_ ? ElementwiseOperation::line_of_sums : ElementwiseOperation::compare,
                isa);
  stages_.erase(stages_.begin(), stages_.begin() + static_cast<std::ptrdiff_t>(stages));
  stages_.insert(stages_.begin(), std::move(stage));
  compares_sums_ = true;
}

}  // namespace lowbit::runtime
