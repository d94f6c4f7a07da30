#include <cstring>
#include <vector>

#include "lowbit/runtime/aligned.h"
#include "lowbit/runtime/kernels/kernels.h"

namespace lowbit::runtime {
namespace {

class Grouped : public ConvKernel {
 public:
  Grouped(const ConvProblem& problem, const InstructionSet& isa)
      : pixels_(static_cast<size_t>(problem.height) * problem.width),
        width_(static_cast<size_t>(problem.out_width())),
        rows_(static_cast<size_t>(problem.out_height())),
        in_(static_cast<size_t>(problem.in / problem.groups)),
        out_(static_cast<size_t>(problem.out / problem.groups)) {
    const size_t weights = problem.weights.size() / problem.groups;
    for (size_t group = 0; group < static_cast<size_t>(problem.groups); ++group) {
      ConvProblem own = problem;
      own.groups = 1;
      own.in = static_cast<int>(in_);
      own.out = static_cast<int>(out_);
      own.weights = problem.weights.subspan(group * weights, weights);
      if (own.code_integers.empty())
        own.zero_points = problem.zero_points.subspan(group * in_, in_);
      kernels_.push_back(make_conv_kernel(own, isa));
      kernel_bytes_ = std::max(kernel_bytes_, aligned(kernels_.back()->scratch_bytes()));
    }
  }

  const char* name() const override { return kernels_.front()->name(); }

  // Scratch of the kernel, then its codes, then its sums.
  size_t scratch_bytes() const override {
    return kernel_bytes_ + aligned(pixels_ * in_) + rows_ * width_ * out_ * sizeof(int32_t);
  }

  // Not by group: it would be a copy of the codes for each.
  int out_block() const override { return static_cast<int>(out_ * kernels_.size()); }

  void run(const uint8_t* codes, const Region& region, int32_t* acc, void* scratch) const override {
    uint8_t* own_codes = static_cast<uint8_t*>(scratch) + kernel_bytes_;
    int32_t* sums = reinterpret_cast<int32_t*>(own_codes + aligned(pixels_ * in_));
    const size_t results = static_cast<size_t>(region.last_row - region.first_row) * width_;
    const size_t groups = kernels_.size();
    const Region of_group{region.first_row, region.last_row, 0, static_cast<int>(out_)};
    for (size_t group = 0; group < groups; ++group) {
      for (size_t i = 0; i < pixels_; ++i)
        std::memcpy(own_codes + i * in_, codes + (i * groups + group) * in_, in_);
      kernels_[group]->run(own_codes, of_group, sums, scratch);
      for (size_t i = 0; i < results; ++i)
        std::memcpy(acc + (i * groups + group) * out_, sums + i * out_, out_ * sizeof(int32_t));
    }
  }

 private:
  size_t pixels_, width_, rows_, in_, out_, kernel_bytes_ = 0;
  std::vector<std::unique_ptr<ConvKernel>> kernels_;
};

}  // namespace

std::unique_ptr<ConvKernel> make_grouped(const ConvProblem& problem, const InstructionSet& isa) {
  return std::make_unique<Grouped>(problem, isa);
}

}  // namespace lowbit::runtime
