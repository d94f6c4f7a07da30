// Convolutions of codes: exact integer sums, by the fastest way that the machine and the widths
// allow. No LibTorch, no allocation after construction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace lowbit::runtime {

struct InstructionSet;

// A convolution of the codes of one image with integer weights.
struct ConvProblem {
  int height, width, in;             // of the codes, [height][width][in]
  int out, kernel, stride, padding;  // a side of the kernel, which is square
  int groups;                        // divides in and out
  // The integer of each code: no code of the input may be as large as their number. Empty: a code
  // stands for code - zero_points[channel], [in].
  std::span<const int8_t> code_integers;
  std::span<const uint8_t> zero_points;
  std::span<const int8_t> weights;  // [out][kernel][kernel][in / groups], as integers

  int out_height() const { return (height + 2 * padding - kernel) / stride + 1; }
  int out_width() const { return (width + 2 * padding - kernel) / stride + 1; }
};

// Rows and channels of a convolution's sums.
struct Region {
  int first_row, last_row, first_out, last_out;  // the last ones not among them
  int outs() const { return last_out - first_out; }
};

// It keeps what it needs of the problem: the spans may end after its construction.
class ConvKernel {
 public:
  virtual ~ConvKernel() = default;
  // Which kernel it is, such as "lookup_6x64_avx2".
  virtual const char* name() const = 0;
  // What run() needs at `scratch`, aligned to 64 bytes, for any rows.
  virtual size_t scratch_bytes() const = 0;
  // Regions may begin and end at each channel that this divides, and at the last one.
  virtual int out_block() const = 0;
  // The sums of a region, at acc[0]: [rows][out_width][outs]. codes: [height][width][in]; padding
  // counts as the integer 0. Threads may run it at once, each with a scratch of its own.
  virtual void run(const uint8_t* codes, const Region& region, int32_t* acc,
                   void* scratch) const = 0;
};

// The kernel measured best for the widths of the problem among those that `isa` has and whose sums
// cannot overflow. The problem is one of a program that passed check.h; the machine has `isa`.
std::unique_ptr<ConvKernel> make_conv_kernel(const ConvProblem& problem, const InstructionSet& isa);

// Every kernel that `isa` has for the problem, the selected one first: for tests and measurements.
std::vector<std::unique_ptr<ConvKernel>> all_conv_kernels(const ConvProblem& problem,
                                                          const InstructionSet& isa);

}  // namespace lowbit::runtime
