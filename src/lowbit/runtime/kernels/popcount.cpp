// Weights of the kernels that count bits. With x = scale * u + offset, u = 0 or 1, and
// w = weight_scale * (2 b - 1), b = 0 or 1,
//   sum u w = weight_scale * (sum b - number of places where u and b differ):
// the first sum is of the weights alone, a constant of the output channel; padding, u = 0, adds as
// many to it as to the other. Where code 0 stands for u = 1, codes and weights are compared the
// other way round: u and b differ where the code and 1 - b do.
#include <algorithm>
#include <cstdlib>

#include "lowbit/runtime/kernels/kernels.h"
#include "lowbit/runtime/kernels/tile_conv.h"

namespace lowbit::runtime {
namespace {

constexpr int kStepBits = 32, kStepBytes = kStepBits / 8;

// Each code a bit, the pixel filled up with zeros to whole steps: a run therefore has no rest.
class BitPacking : public Packing {
 public:
  BitPacking(const CodeUnits& units, const PopcountSet& set, int in)
      : pack_(set.pack), in_(in), of_zero_(static_cast<size_t>(pixel_bytes())) {
    if (units.code_of_zero() == 0) return;
    for (int i = 0; i < in; ++i) of_zero_[i / 8] |= static_cast<uint8_t>(1 << i % 8);
  }

  int pixel_bytes() const override { return (in_ + kStepBits - 1) / kStepBits * kStepBytes; }

  void pack(const uint8_t* codes, int pixels, ptrdiff_t stride, uint8_t* packed) const override {
    pack_({.codes = codes, .pixels = pixels, .stride = stride, .channels = in_, .bits = packed});
  }

  void fill(int pixels, uint8_t* packed) const override {
    for (int i = 0; i < pixels; ++i) packed = std::ranges::copy(of_zero_, packed).out;
  }

 private:
  void (*pack_)(const CodeBits&);
  int in_;
  std::vector<uint8_t> of_zero_;  // a pixel with unit 0
};

// Appends the bits of a block's weights, [step][channel], and adds those that are set to the
// constants. `flipped`: what is stored is 1 - b.
void append_bits(const ConvProblem& problem, const Runs& runs, bool flipped, TilePlan& plan,
                 Block& block) {
  const int channels = block.vectors * plan.set->lanes;
  const int pixel_steps = runs.steps / problem.kernel;
  const size_t filter = problem.weights.size() / static_cast<size_t>(problem.out);
  block.weights = plan.weights.size();
  plan.weights.resize(block.weights + static_cast<size_t>(runs.count()) * channels * kStepBytes);
  for (int i = 0; i < std::min(channels, problem.out - block.first_out); ++i) {
    const int8_t* weight = problem.weights.data() + (block.first_out + i) * filter;
    int set = 0;
    for (int tap = 0; tap < problem.kernel * problem.kernel; ++tap) {
      for (int channel = 0; channel < problem.in; ++channel) {
        const bool bit = *weight++ > 0;
        set += bit;
        const size_t step = static_cast<size_t>(tap * pixel_steps + channel / kStepBits);
        uint8_t* bits = &plan.weights[block.weights + (step * channels + i) * kStepBytes];
        bits[channel % kStepBits / 8] |= static_cast<uint8_t>((bit != flipped) << channel % 8);
      }
    }
    plan.constant[block.first_out + i] = -plan.scale * set;
  }
}

}  // namespace

std::unique_ptr<ConvKernel> make_popcount(const ConvProblem& problem, const PopcountSet& set,
                                          int least_used) {
  const CodeUnits units = code_units(problem);
  // One code, or two of different integers.
  if (units.count > 2 || units.largest != units.count - 1) return nullptr;
  const std::vector<int> weights = weight_values(problem);
  const int scale = weight_scale(weights);
  if (std::ranges::any_of(weights, [&](int weight) { return std::abs(weight) != scale; }))
    return nullptr;
  TilePlan plan{.set = &set.tiles,
                .packing = std::make_unique<BitPacking>(units, set, problem.in),
                .blocks = blocks_of(problem.out, set.tiles),
                .weights = {},
                .table = {},
                .scale = -units.scale * scale,
                .constant = std::vector<int32_t>(static_cast<size_t>(problem.out)),
                .inputs_by_channel = false};
  const int pixel_bytes = plan.packing->pixel_bytes();
  if (100 * problem.in < least_used * 8 * pixel_bytes) return nullptr;
  const Runs runs{.runs = problem.kernel,
                  .steps = problem.kernel * pixel_bytes / kStepBytes,
                  .input_step = kStepBytes,
                  .input_run = ReceptiveField(problem, pixel_bytes).row_bytes};
  const std::vector<bool> flush_after =
      set.narrow ? flushes(runs.count(), 1, {0, 255},
                           [](int, int) {
                             return Range{0, 8};
                           })
                 : std::vector<bool>(static_cast<size_t>(runs.count()), false);
  plan.weights.reserve(static_cast<size_t>(runs.count()) * padded_out(plan.blocks, set.tiles) *
                       kStepBytes);
  for (Block& block : plan.blocks) {
    append_bits(problem, runs, units.code_of_zero() != 0, plan, block);
    block.segments = segments_of(runs, flush_after);
  }
  return make_tile_conv(problem, units, std::move(plan));
}

}  // namespace lowbit::runtime
