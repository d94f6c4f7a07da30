// The convolution that all tiles share: it packs the input rows that a call needs, each code once,
// and walks over tiles of output pixels and channels.
//
// Along a row of the receptive field, the codes of neighboring pixels lie one behind the other: it
// is `kernel` runs, and a sum over (row, column, channel) needs no copy of it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include "lowbit/runtime/kernels/code_units.h"
#include "lowbit/runtime/kernels/conv.h"
#include "lowbit/runtime/kernels/tile.h"

namespace lowbit::runtime {

template <class T>
struct Aligned {
  using value_type = T;
  static constexpr std::align_val_t kAlignment{64};

  Aligned() = default;
  template <class U>
  Aligned(const Aligned<U>&) {}
  T* allocate(size_t count) {
    return static_cast<T*>(::operator new(count * sizeof(T), kAlignment));
  }
  void deallocate(T* pointer, size_t) { ::operator delete(pointer, kAlignment); }
  bool operator==(const Aligned&) const { return true; }
};
using Bytes = std::vector<uint8_t, Aligned<uint8_t>>;

// How the codes of a pixel are packed.
class Packing {
 public:
  virtual ~Packing() = default;
  virtual int pixel_bytes() const = 0;
  // `pixels` pixels of the input, `stride` bytes apart.
  virtual void pack(const uint8_t* codes, int pixels, ptrdiff_t stride, uint8_t* packed) const = 0;
  // Pixels of codes with unit 0.
  virtual void fill(int pixels, uint8_t* packed) const = 0;
};

// The receptive field's place in the packed rows. A kernel of one pixel packs only the pixels that
// it uses.
struct ReceptiveField {
  explicit ReceptiveField(const ConvProblem& problem, int bytes_of_pixel);

  int sampling;      // of the input, in pixels
  int stride;        // of the receptive fields, in packed pixels
  int packed_width;  // in pixels
  int pixel_bytes;
  size_t row_bytes;  // of a packed row

  int packed_rows(int out_rows) const { return (out_rows - 1) * stride + kernel; }
  int kernel;
};

// The steps of a receptive field of `step_bytes` each, and how many of them are a run: rounded up,
// so that the last may reach into the next pixel, where the weights must be 0.
struct Runs {
  int runs, steps;
  size_t input_step, input_run;  // bytes from step to step and from run to run
  int count() const { return runs * steps; }
};

// What a step may add to a narrow sum: anything in [low, high], low <= 0 <= high.
struct Range {
  int low, high;
};

// The steps after which the narrow sums must be flushed so that they stay within `limit` whatever
// the codes are. Empty: one step may already leave it.
template <class RangeOf>
std::vector<bool> flushes(int steps, int sums, Range limit, const RangeOf& range) {
  std::vector<bool> flush_after(static_cast<size_t>(steps), false);
  std::vector<Range> since(static_cast<size_t>(sums), Range{0, 0});
  const auto within = [&](Range r) { return r.low >= limit.low && r.high <= limit.high; };
  for (int step = 0; step < steps; ++step) {
    Range widest{0, 0};
    for (int sum = 0; sum < sums; ++sum) {
      const Range more = range(step, sum);
      since[sum].low += more.low;
      since[sum].high += more.high;
      widest.low = std::min(widest.low, since[sum].low);
      widest.high = std::max(widest.high, since[sum].high);
    }
    if (within(widest)) continue;
    if (step > 0) flush_after[static_cast<size_t>(step) - 1] = true;
    for (int sum = 0; sum < sums; ++sum) {
      since[sum] = range(step, sum);
      if (!within(since[sum])) return {};
    }
  }
  return flush_after;
}

// Cuts the runs into segments. flush_after(step): the sums must be flushed after it.
std::vector<Segment> segments_of(const Runs& runs, const std::vector<bool>& flush_after);

// The output channels that one tile takes.
struct Block {
  int first_out, vectors;
  size_t weights;  // where they begin
  std::vector<Segment> segments;
};

// The first output channel and the number of vectors of each block.
std::vector<Block> blocks_of(int out, const TileSet& set);
// The output channels of all blocks, with those that only fill up a vector.
int padded_out(const std::vector<Block>& blocks, const TileSet& set);

struct TilePlan {
  const TileSet* set;
  std::unique_ptr<Packing> packing;
  std::vector<Block> blocks;
  Bytes weights;
  Bytes table;
  int scale;
  std::vector<int32_t> constant;  // [out]: added to each sum
  bool inputs_by_channel;         // a block's inputs begin at its first channel
};

std::unique_ptr<ConvKernel> make_tile_conv(const ConvProblem& problem, const CodeUnits& units,
                                           TilePlan plan);

}  // namespace lowbit::runtime
