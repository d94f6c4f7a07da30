#include "lowbit/runtime/chain.h"

#include <algorithm>

namespace lowbit::runtime {
namespace {

// Sums at a time: half of what a core's second cache has at least.
constexpr size_t kBlockSums = size_t{32} << 10;
// Numbers at a time on the way through the stages: two tiles of them stay in the first cache.
constexpr size_t kSegmentNumbers = size_t{2} << 10;

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
             const InstructionSet& isa, int64_t& trials) {
  input_ = inputs_of(network.step(steps.front())).front();
  shape_ = network.types()[static_cast<size_t>(steps.front()) + 1].shape;
  in_bytes_ = network.types()[static_cast<size_t>(input_)].element_bytes();
  int before = -1;
  for (const int step : steps) {
    if (network.step(step).operation_type() == packed::Operation::CodeConv)
      add_pairs(network, step, isa);
    else
      add_stage(network, step, before, isa, trials);
    before = step + 1;
  }
  const auto is_stored = [&](int value) { return std::ranges::binary_search(stored, value); };
  for (Stage& stage : stages_) stage.stored = is_stored(stage.result);
  if (pairs_.size() > 1) pairs_.back().stage.stored = is_stored(pairs_.back().stage.result);
  if (pairs_.size() == 1) compare_sums(isa, trials);

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
  return pairs_.empty() ? "elementwise" : pairs_.front().kernel->name();
}

bool Chain::spend(int64_t& trials, int64_t needed) {
  if (needed > trials) return false;
  trials -= needed;
  return true;
}

int Chain::channel_block() const {
  return pairs_.size() == 1 ? pairs_.front().kernel->out_block() : shape_.channels;
}

size_t Chain::scratch_bytes() const {
  return kernel_bytes_ + sums_bytes_ + reals_bytes_ + 2 * tile_bytes_;
}

// ---- running ----

ElementwiseCall Chain::call_of(const Stage& stage, Channels channels) const {
  ElementwiseCall call = stage.call;
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
void Chain::run_row(const Values& values, const std::byte* in, int y, Channels channels,
                    std::byte* tiles) const {
  const auto all = static_cast<size_t>(shape_.channels);
  const int pixels = channels.count() == all ? segment_pixels_ : 1;
  for (int x = 0; x < shape_.width; x += pixels) {
    const size_t first = static_cast<size_t>(x) * all + static_cast<size_t>(channels.first);
    const void* from = in + static_cast<size_t>(x) * channels.count() * in_bytes_;
    std::byte* tile = tiles;
    for (const Stage& stage : stages_) {
      ElementwiseCall call = call_of(stage, channels);
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

void Chain::run_block(const Values& values, Rows rows, Channels channels,
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
    ElementwiseCall call = call_of(pair.stage, channels);
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

void Chain::run(const Values& values, Rows rows, Channels channels, std::byte* scratch) const {
  const size_t row = static_cast<size_t>(shape_.width) * channels.count();
  const int block =
      static_cast<int>(std::min<size_t>(block_numbers_ / row, static_cast<size_t>(shape_.height)));
  for (int first = rows.first; first < rows.last; first += block)
    run_block(values, {first, std::min(first + block, rows.last)}, channels, scratch);
}

}  // namespace lowbit::runtime
