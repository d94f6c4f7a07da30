#include "lowbit/exec/arithmetic.h"

namespace lowbit::exec {

std::optional<WholeNumbers> whole_numbers(const quant::Quantizer& quantizer,
                                          const torch::Tensor& y) {
  const bool is_wide = y.scalar_type() == torch::kFloat32 || y.scalar_type() == torch::kFloat64;
  torch::Tensor unit = is_wide ? quantizer.unit(y) : torch::Tensor();
  if (!unit.defined()) return std::nullopt;
  unit = unit.flatten();
  // Where all are 0 they are so many of any unit.
  unit = unit.masked_fill(unit == 0, 1);
  if (quantizer.shape().tag != config::Tag::wt)
    return WholeNumbers{(y / unit.to(y)).round_(), unit};
  const int64_t out = y.size(0);
  if (out % unit.numel() != 0) return std::nullopt;
  unit = unit.repeat_interleave(out / unit.numel());
  return WholeNumbers{(y / unit.to(y).view({-1, 1, 1, 1})).round_(), unit};
}

}  // namespace lowbit::exec
