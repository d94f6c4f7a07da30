#include "lowbit/exec/arithmetic.h"

namespace lowbit::exec {

std::optional<WholeNumbers> whole_numbers(const quant::Quantizer& quantizer,
                                          const torch::Tensor& y) {
  const bool is_wide = y.scalar_type() == torch::kFloat32 || y.scalar_type() == torch::kFloat64;
  const quant::Grid grid = is_wide ? quantizer.grid(y) : quant::Grid();
  if (grid.planes.size() != 1) return std::nullopt;
  // Where all are 0 they are so many of any unit.
  torch::Tensor unit = grid.planes[0].scale.abs();
  unit = unit.masked_fill(unit == 0, 1);
  if (quantizer.shape().tag != config::Tag::wt) {
    if (unit.numel() != 1) return std::nullopt;
    return WholeNumbers{(y / unit.to(y)).round_(), unit};
  }
  const int64_t out = y.size(0);
  if (out % unit.numel() != 0) return std::nullopt;
  unit = unit.repeat_interleave(out / unit.numel());
  return WholeNumbers{(y / unit.to(y).view({-1, 1, 1, 1})).round_(), unit};
}

}  // namespace lowbit::exec
