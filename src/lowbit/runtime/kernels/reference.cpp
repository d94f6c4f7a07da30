#include <vector>

#include "lowbit/runtime/kernels/kernels.h"

namespace lowbit::runtime {
namespace {

class Reference : public ConvKernel {
 public:
  explicit Reference(const ConvProblem& problem)
      : problem_(problem),
        integers_(problem.code_integers.begin(), problem.code_integers.end()),
        zero_points_(problem.zero_points.begin(), problem.zero_points.end()),
        weights_(problem.weights.begin(), problem.weights.end()) {}

  const char* name() const override { return "reference"; }
  size_t scratch_bytes() const override { return 0; }
  int out_block() const override { return 1; }

  void run(const uint8_t* codes, const Region& region, int32_t* acc, void*) const override {
    for (int y = region.first_row; y < region.last_row; ++y)
      for (int x = 0; x < problem_.out_width(); ++x)
        for (int out = region.first_out; out < region.last_out; ++out)
          *acc++ = sum(codes, y, x, out);
  }

 private:
  int32_t integer(uint8_t code, int channel) const {
    return integers_.empty() ? code - zero_points_[static_cast<size_t>(channel)] : integers_[code];
  }

  int32_t sum(const uint8_t* codes, int y, int x, int out) const {
    const ConvProblem& p = problem_;
    const int in = p.in / p.groups, first_in = out / (p.out / p.groups) * in;
    int32_t total = 0;
    for (int i = 0; i < p.kernel; ++i) {
      for (int j = 0; j < p.kernel; ++j) {
        const int row = y * p.stride - p.padding + i, column = x * p.stride - p.padding + j;
        if (row < 0 || row >= p.height || column < 0 || column >= p.width) continue;
        const uint8_t* pixel = codes + (static_cast<size_t>(row) * p.width + column) * p.in;
        const int8_t* weight =
            &weights_[((static_cast<size_t>(out) * p.kernel + i) * p.kernel + j) * in];
        for (int channel = 0; channel < in; ++channel)
          total += integer(pixel[first_in + channel], first_in + channel) * weight[channel];
      }
    }
    return total;
  }

  ConvProblem problem_;
  std::vector<int8_t> integers_;
  std::vector<uint8_t> zero_points_;
  std::vector<int8_t> weights_;
};

}  // namespace

std::unique_ptr<ConvKernel> make_reference(const ConvProblem& problem) {
  return std::make_unique<Reference>(problem);
}

}  // namespace lowbit::runtime
