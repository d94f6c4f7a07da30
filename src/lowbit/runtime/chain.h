// Steps that follow each other number by number, perhaps behind a convolution of codes, run
// together by rows: what lies between them stays in the cache and never stands in memory as a
// whole.
//
// Where codes are a function of one sum for each channel, a monotone one, they come from comparing
// the sum with integers: those at which that very function of float32 numbers, asked by bisection,
// changes its code. Where these lie evenly, a line gives the same codes (lines.h).
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "lowbit/runtime/kernels/conv.h"
#include "lowbit/runtime/network.h"
#include "lowbit/runtime/vector_functions.h"

namespace lowbit::runtime {

class Chain {
 public:
  // Whether a step may be the first of a chain; whether it may be a later one.
  static bool may_begin(const packed::Step& step);
  static bool may_follow(const packed::Step& step);

  // Comparisons and lines are looked for by so many trials in a network, some thirty times what
  // large ones take: opening any network takes seconds at most.
  static constexpr int64_t kMostTrials = int64_t{1} << 30;

  // steps: each but the first reads what the one before it gives, and of other steps of the chain
  // nothing. stored, rising: those of their values that come to stand in memory, the last one among
  // them. isa is not "reference". trials: how many are left for it and for chains that are made
  // later; where there are too few, its steps are done as they are in the program.
  Chain(const Network& network, std::span<const int> steps, std::span<const int> stored,
        const InstructionSet& isa, int64_t& trials);

  // The kernel that does most of the work: "lookup_6x64_avx2", "elementwise".
  const char* name() const;
  // Whether codes come from comparing sums.
  bool compares_sums() const { return compares_sums_; }
  // Whether they come from lines instead (lines.h).
  bool follows_lines() const { return follows_lines_; }
  // Channels that run() is asked for begin at each that this divides, and end there or at the last
  // one.
  int channel_block() const;
  // Rows that it computes at a time.
  int block_rows() const { return static_cast<int>(block_numbers_ / shape_.row()); }
  // What run() needs at `scratch`, aligned to 64 bytes.
  size_t scratch_bytes() const;
  void run(const Values& values, Rows rows, Channels channels, std::byte* scratch) const;

 private:
  // One pass over a part of a row.
  struct Stage {
    ElementwiseFunction function = nullptr;
    ElementwiseCall call;  // all but what depends on the row
    int result = 0;        // the value it gives
    bool stored = false;
    int other = -1;  // the value that is its second operand
    bool gives_codes = false, monotone = false;
    bool by_channel = true;  // what is not empty of what follows, and not by group
    std::vector<float> a, b, numbers;
    std::vector<int32_t> sums, base, sign;
  };
  struct Pair {
    std::unique_ptr<ConvKernel> kernel;
    Stage stage;  // of its sums: scale or scale_more
  };

  // So many thresholds are compared one after the other, where there are no lines; more are
  // searched.
  static constexpr size_t kMostCompared = 16;
  // With fewer thresholds, of sums and of reals, comparisons take no longer than lines.
  static constexpr size_t kFewestOfSums = 3, kFewestOfReals = 8;
  static bool all_finite(std::span<const float> numbers);

  // chain_stages.cpp
  void add_pairs(const Network& network, int step, const InstructionSet& isa);
  void add_stage(const Network& network, int step, int before, const InstructionSet& isa,
                 int64_t& trials);
  // Whether there are so many trials left, which are then spent.
  static bool spend(int64_t& trials, int64_t needed);
  // As its operation wants it, when all its parameters are there.
  static void set_operation(Stage& stage, ElementwiseOperation operation,
                            const InstructionSet& isa);
  // [groups][steps] thresholds, as the operation that it gives wants them.
  ElementwiseOperation set_thresholds(Stage& stage, std::vector<float> thresholds, size_t steps,
                                      size_t group_channels, int64_t& trials) const;
  // Lines for them, if each group has some.
  bool set_lines(Stage& stage, std::span<const float> thresholds, size_t steps,
                 size_t group_channels, int64_t& trials) const;
  // chain_sums.cpp
  void compare_sums(const InstructionSet& isa, int64_t& trials);
  bool set_lines(Stage& stage) const;
  void codes_of(std::span<const int32_t> sums, size_t stages, uint8_t* codes, bool* finite) const;
  // chain.cpp
  ElementwiseCall call_of(const Stage& stage, Channels channels) const;
  void run_block(const Values& values, Rows rows, Channels channels, std::byte* scratch) const;
  void run_row(const Values& values, const std::byte* in, int y, Channels channels,
               std::byte* tiles) const;

  Shape shape_;           // of all values
  int input_ = 0;         // the value that the first step reads
  int64_t most_sum_ = 0;  // no sum is larger, to either side
  bool compares_sums_ = false, follows_lines_ = false;
  size_t in_bytes_ = sizeof(float);  // of a number that the first stage reads
  std::vector<Pair> pairs_;          // of a convolution
  std::vector<Stage> stages_;        // behind the pairs; the stage of a single pair is the first
  size_t block_numbers_ = 1;         // sums at a time, so that they stay in the cache
  int segment_pixels_ = 1;
  // The parts of scratch: of the kernels, a block's sums, its reals, and one of two tiles.
  size_t kernel_bytes_ = 0, sums_bytes_ = 0, reals_bytes_ = 0, tile_bytes_ = 0;
};

}  // namespace lowbit::runtime
