// Weights and guards of the kernels that multiply: with x = scale * u + offset and
// w = weight_scale * v,  sum x w = scale weight_scale * sum u v + what the offsets give,
// u unsigned and v signed numbers of 8 bits.
#include <algorithm>
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

// The weights of a block as a tile reads them.
struct DotWeights {
  const ConvProblem& problem;
  Runs runs;
  int scale, per_step;

  // The i-th v of a step; 0 beyond the channels and beyond the run.
  int value(int out, int step, int i) const {
    const int run = problem.kernel * problem.in;
    const int place = step % runs.steps * per_step + i;
    if (out >= problem.out || place >= run) return 0;
    const size_t row = static_cast<size_t>(out) * problem.kernel + step / runs.steps;
    return problem.weights[row * run + place] / scale;
  }

  // What one step adds to the narrow sum `pair` of a channel: the products 2 pair, 2 pair + 1.
  Range range(int out, int step, int pair, int largest) const {
    Range range{0, 0};
    for (int i = 2 * pair; i < 2 * pair + 2; ++i) {
      const int product = largest * value(out, step, i);
      range.low += std::min(product, 0);
      range.high += std::max(product, 0);
    }
    return range;
  }

  void append(const Block& block, int lanes, Bytes& weights) const {
    for (int step = 0; step < runs.count(); ++step)
      for (int channel = 0; channel < block.vectors * lanes; ++channel)
        for (int i = 0; i < per_step; ++i)
          weights.push_back(static_cast<uint8_t>(value(block.first_out + channel, step, i)));
  }
};

constexpr int kStepBytes = 4;
constexpr Range kNarrow{-32768, 32767};

// T: as what units are packed.
template <class T>
std::unique_ptr<ConvKernel> make_dot(const ConvProblem& problem, const TileSet& set, bool narrow) {
  const CodeUnits units = code_units(problem);
  const int scale = weight_scale(problem);
  TilePlan plan{.set = &set,
                .packing = std::make_unique<UnitPacking<T>>(units, problem.in),
                .blocks = blocks_of(problem.out, set),
                .weights = {},
                .table = {},
                .scale = units.scale * scale,
                .constant = std::vector<int32_t>(static_cast<size_t>(problem.out)),
                .inputs_by_channel = false};
  const int pixel_bytes = plan.packing->pixel_bytes();
  const DotWeights weights{
      .problem = problem,
      .runs = {.runs = problem.kernel,
               .steps = (problem.kernel * pixel_bytes + kStepBytes - 1) / kStepBytes,
               .input_step = kStepBytes,
               .input_run = Window(problem, pixel_bytes).row_bytes},
      .scale = scale,
      .per_step = kStepBytes / static_cast<int>(sizeof(T))};
  const int steps = weights.runs.count();
  for (Block& block : plan.blocks) {
    block.weights = plan.weights.size();
    weights.append(block, set.lanes, plan.weights);
    std::vector<bool> flush_after(static_cast<size_t>(steps), false);
    flush_after.back() = true;
    if (narrow) {
      const int sums = 2 * block.vectors * set.lanes;
      const auto range = [&](int step, int sum) {
        return weights.range(block.first_out + sum / 2, step, sum % 2, units.largest);
      };
      for (int step = 0; step < steps; ++step) {
        for (int sum = 0; sum < sums; ++sum) {
          const Range one = range(step, sum);
          if (one.low < kNarrow.low || one.high > kNarrow.high) return nullptr;
        }
      }
      flush_after = flushes(steps, sums, kNarrow, range);
    }
    block.segments = segments_of(weights.runs, flush_after);
  }
  return make_tile_conv(problem, units, std::move(plan));
}

}  // namespace

std::unique_ptr<ConvKernel> make_dot8(const ConvProblem& problem, const TileSet& set, bool narrow) {
  return make_dot<uint8_t>(problem, set, narrow);
}

std::unique_ptr<ConvKernel> make_dot16(const ConvProblem& problem, const TileSet& set) {
  return make_dot<uint16_t>(problem, set, false);
}

std::unique_ptr<ConvKernel> make_depthwise(const ConvProblem& problem, const TileSet& set) {
  const CodeUnits units = code_units(problem);
  const int scale = weight_scale(problem), taps = problem.kernel * problem.kernel;
  TilePlan plan{.set = &set,
                .packing = std::make_unique<UnitPacking<uint8_t>>(units, problem.in),
                .blocks = blocks_of(problem.out, set),
                .weights = {},
                .table = {},
                .scale = units.scale * scale,
                .constant = std::vector<int32_t>(static_cast<size_t>(problem.out)),
                .inputs_by_channel = true};
  const Runs runs{.runs = problem.kernel,
                  .steps = problem.kernel,
                  .input_step = static_cast<size_t>(problem.in),
                  .input_run = Window(problem, problem.in).row_bytes};
  for (Block& block : plan.blocks) {
    const int channels = block.vectors * set.lanes;
    const auto value = [&](int tap, int channel) {
      const int out = block.first_out + channel;
      return out < problem.out ? problem.weights[static_cast<size_t>(out) * taps + tap] / scale : 0;
    };
    block.weights = plan.weights.size();
    plan.weights.resize(block.weights + static_cast<size_t>(taps * channels) * sizeof(int16_t));
    int16_t* weights = reinterpret_cast<int16_t*>(plan.weights.data() + block.weights);
    for (int tap = 0; tap < taps; ++tap)
      for (int channel = 0; channel < channels; ++channel)
        *weights++ = static_cast<int16_t>(value(tap, channel));
    const std::vector<bool> flush_after =
        flushes(taps, channels, kNarrow, [&](int tap, int channel) {
          const int product = units.largest * value(tap, channel);
          return Range{std::min(product, 0), std::max(product, 0)};
        });
    // A segment of this kernel is one tap.
    for (int tap = 0; tap < taps; ++tap) {
      const size_t input =
          tap / problem.kernel * runs.input_run + tap % problem.kernel * runs.input_step;
      block.segments.push_back({static_cast<int32_t>(input), 1, flush_after[tap]});
    }
  }
  return make_tile_conv(problem, units, std::move(plan));
}

}  // namespace lowbit::runtime
