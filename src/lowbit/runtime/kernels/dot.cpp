// Weights and guards of the kernels that multiply: with x = scale * u + offset and
// w = weight_scale * v,  sum x w = scale weight_scale * sum u v + what the offsets give,
// u and v numbers of 8 bits, v signed and u unsigned or, for tiles that want it, signed.
#include <algorithm>
#include <array>
#include <cstring>

#include "lowbit/runtime/kernels/kernels.h"
#include "lowbit/runtime/kernels/tile_conv.h"

namespace lowbit::runtime {
namespace {

// Units, each as a T.
template <class T>
class UnitPacking : public Packing {
 public:
  UnitPacking(const CodeUnits& units, int in)
      : unit_(units.unit), same_(units.same_as_codes()), in_(in) {}

  int pixel_bytes() const override { return in_ * static_cast<int>(sizeof(T)); }

  void pack(const uint8_t* codes, int pixels, ptrdiff_t stride, uint8_t* packed) const override {
    if (stride == in_) {
      pack(codes, pixels * in_, packed);
      return;
    }
    for (int i = 0; i < pixels; ++i) pack(codes + i * stride, in_, packed + i * pixel_bytes());
  }

  void fill(int pixels, uint8_t* packed) const override {
    std::memset(packed, 0, static_cast<size_t>(pixels) * pixel_bytes());
  }

 private:
  void pack(const uint8_t* codes, int count, uint8_t* packed) const {
    if (same_ && sizeof(T) == 1) {
      std::memcpy(packed, codes, static_cast<size_t>(count));
      return;
    }
    // Pixels may begin at odd addresses only where T is a byte.
    T* to = reinterpret_cast<T*>(packed);
    if (same_) {
      for (int i = 0; i < count; ++i) to[i] = codes[i];
    } else {
      for (int i = 0; i < count; ++i) to[i] = unit_[codes[i]];
    }
  }

  std::array<uint8_t, 256> unit_;
  bool same_;
  int in_;
};

// Each weight / scale, by its byte.
std::array<int8_t, 256> divided(int scale) {
  std::array<int8_t, 256> values;
  for (int weight = -128; weight < 128; ++weight)
    values[static_cast<uint8_t>(weight)] = static_cast<int8_t>(weight / scale);
  return values;
}

// Appends the weights of a block as a tile reads them, [step][channel][per_step]; 0 beyond the
// channels and beyond a run.
void append_weights(const ConvProblem& problem, const Runs& runs, int per_step, int scale,
                    const Block& block, int lanes, Bytes& weights) {
  const std::array<int8_t, 256> value = divided(scale);
  const size_t run = static_cast<size_t>(problem.kernel) * problem.in;
  const size_t filter = run * problem.kernel;
  const int channels = block.vectors * lanes;
  weights.resize(weights.size() + static_cast<size_t>(runs.count()) * channels * per_step, 0);
  uint8_t* to = weights.data() + block.weights;
  for (int step = 0; step < runs.count(); ++step) {
    const size_t place = static_cast<size_t>(step % runs.steps) * per_step;
    const size_t count = std::min<size_t>(per_step, run - place);
    const int8_t* from =
        problem.weights.data() + block.first_out * filter + step / runs.steps * run + place;
    for (int channel = 0; channel < std::min(channels, problem.out - block.first_out); ++channel)
      for (size_t i = 0; i < count; ++i)
        to[channel * per_step + i] =
            static_cast<uint8_t>(value[static_cast<uint8_t>(from[channel * filter + i])]);
    to += channels * per_step;
  }
}

// What a step may add to a narrow sum of products with inputs in a range that has 0.
Range range_of_sum(const uint8_t* weights, int products, Range inputs) {
  Range range{0, 0};
  for (int i = 0; i < products; ++i) {
    const int weight = static_cast<int8_t>(weights[i]);
    range.low += std::min(weight * inputs.low, weight * inputs.high);
    range.high += std::max(weight * inputs.low, weight * inputs.high);
  }
  return range;
}

// The same integers of units that are less by half of 256: of -128 on, as signed bytes.
void center(CodeUnits& units) {
  for (uint8_t& unit : units.unit) unit ^= 0x80;
  for (int32_t& offset : units.offset) offset += 128 * units.scale;
}

constexpr int kStepBytes = 4;
constexpr Range kNarrow{-32768, 32767};

// T: as what units are packed. dot: what `set` belongs to where T is a byte, else null.
template <class T>
std::unique_ptr<ConvKernel> make_dot(const ConvProblem& problem, const TileSet& set,
                                     const DotSet* dot) {
  CodeUnits units = code_units(problem);
  Range inputs{0, units.largest};
  if (dot && dot->signed_input && units.largest > 127) {
    center(units);
    inputs = {-128, 127};
  }
  const int scale = weight_scale(weight_values(problem));
  TilePlan plan{.set = &set,
                .packing = std::make_unique<UnitPacking<T>>(units, problem.in),
                .blocks = blocks_of(problem.out, set),
                .weights = {},
                .table = {},
                .scale = units.scale * scale,
                .constant = std::vector<int32_t>(static_cast<size_t>(problem.out)),
                .inputs_by_channel = false};
  const int pixel_bytes = plan.packing->pixel_bytes();
  const Runs runs{.runs = problem.kernel,
                  .steps = (problem.kernel * pixel_bytes + kStepBytes - 1) / kStepBytes,
                  .input_step = kStepBytes,
                  .input_run = ReceptiveField(problem, pixel_bytes).row_bytes};
  size_t flush_count = 0;
  const int per_step = kStepBytes / static_cast<int>(sizeof(T));
  plan.weights.reserve(static_cast<size_t>(runs.count()) * padded_out(plan.blocks, set) * per_step);
  for (Block& block : plan.blocks) {
    block.weights = plan.weights.size();
    append_weights(problem, runs, per_step, scale, block, set.lanes, plan.weights);
    std::vector<bool> flush_after(static_cast<size_t>(runs.count()), false);
    if (dot && dot->products > 0) {
      const int sums = kStepBytes / dot->products * block.vectors * set.lanes;
      const uint8_t* weights = plan.weights.data() + block.weights;
      flush_after = flushes(runs.count(), sums, kNarrow, [&](int step, int sum) {
        return range_of_sum(weights + dot->products * (step * sums + sum), dot->products, inputs);
      });
      if (flush_after.empty()) return nullptr;
      flush_count += static_cast<size_t>(std::ranges::count(flush_after, true));
    }
    block.segments = segments_of(runs, flush_after);
  }
  const size_t steps = plan.blocks.size() * static_cast<size_t>(runs.count());
  if (dot && steps < static_cast<size_t>(dot->fewest_steps) * flush_count) return nullptr;
  return make_tile_conv(problem, units, std::move(plan));
}

// The taps of a block of depthwise channels.
class DepthwiseTaps {
 public:
  DepthwiseTaps(const ConvProblem& problem, const CodeUnits& units, int scale, int first, int lanes)
      : problem_(problem),
        largest_(units.largest),
        scale_(scale),
        first_(first),
        lanes_(lanes),
        count_(problem.kernel * problem.kernel),
        row_bytes_(ReceptiveField(problem, problem.in).row_bytes) {}

  // Appends steps that have `used` of `taps` taps, and weights of 16 or, for two taps, 8 bits.
  // False: a sum of 16 bits does not hold what a step may add.
  bool append(int used, int taps, Bytes& weights, std::vector<Segment>& segments) const {
    const int steps = (count_ + used - 1) / used;
    const std::vector<bool> flush_after =
        flushes(steps, lanes_, kNarrow, [&](int step, int channel) {
          Range range{0, 0};
          for (int tap = step * used; tap < (step + 1) * used; ++tap) {
            const int product = largest_ * weight(tap, channel);
            range.low += std::min(product, 0);
            range.high += std::max(product, 0);
          }
          return range;
        });
    if (flush_after.empty()) return false;
    for (int step = 0; step < steps; ++step) {
      const int tap = step * used, second = std::min(tap + used, count_) - 1;
      segments.push_back(
          {place(tap), place(second) - place(tap), flush_after[static_cast<size_t>(step)]});
      for (int channel = 0; channel < lanes_; ++channel) {
        const int value = weight(tap, channel);
        const int other = used == 2 ? weight(tap + 1, channel) : taps == 2 ? 0 : value >> 8;
        weights.push_back(static_cast<uint8_t>(value));
        weights.push_back(static_cast<uint8_t>(other));
      }
    }
    return true;
  }

 private:
  // 0 beyond the taps and the channels.
  int weight(int tap, int channel) const {
    const int out = first_ + channel;
    if (tap >= count_ || out >= problem_.out) return 0;
    return problem_.weights[static_cast<size_t>(out) * count_ + tap] / scale_;
  }
  int32_t place(int tap) const {
    return static_cast<int32_t>(tap / problem_.kernel * row_bytes_) +
           tap % problem_.kernel * problem_.in;
  }

  const ConvProblem& problem_;
  int largest_, scale_, first_, lanes_, count_;
  size_t row_bytes_;
};

}  // namespace

std::unique_ptr<ConvKernel> make_dot8(const ConvProblem& problem, const DotSet& set) {
  return make_dot<uint8_t>(problem, set.tiles, &set);
}

std::unique_ptr<ConvKernel> make_dot16(const ConvProblem& problem, const TileSet& set) {
  return make_dot<uint16_t>(problem, set, nullptr);
}

std::unique_ptr<ConvKernel> make_depthwise(const ConvProblem& problem, const DepthwiseSet& set) {
  const CodeUnits units = code_units(problem);
  const int scale = weight_scale(weight_values(problem));
  TilePlan plan{.set = &set.tiles,
                .packing = std::make_unique<UnitPacking<uint8_t>>(units, problem.in),
                .blocks = blocks_of(problem.out, set.tiles),
                .weights = {},
                .table = {},
                .scale = units.scale * scale,
                .constant = std::vector<int32_t>(static_cast<size_t>(problem.out)),
                .inputs_by_channel = true};
  for (Block& block : plan.blocks) {
    const DepthwiseTaps taps(problem, units, scale, block.first_out, set.tiles.lanes);
    block.weights = plan.weights.size();
    // Two products may be too much for a sum of 16 bits.
    if (set.taps == 1 || !taps.append(2, set.taps, plan.weights, block.segments))
      taps.append(1, set.taps, plan.weights, block.segments);
  }
  return make_tile_conv(problem, units, std::move(plan));
}

}  // namespace lowbit::runtime
