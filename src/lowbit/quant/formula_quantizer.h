// Quantizers that are a formula of each element (kernels/math/formula.h): the module around it.
#pragma once

#include <vector>

#include "lowbit/kernels/formula.h"
#include "lowbit/quant/quantizer.h"

namespace lowbit::quant {

// The parts of a formula that the module uses.
struct FormulaMethod {
  kernels::FormulaKernels kernels;
  // Of a group, from arguments of float32 numbers on the host.
  CodeFormula (*formula)(const kernels::FormulaArguments&, int64_t group);
  // The grid, from arguments of float64 numbers on the host; clip_val: float64 [groups], undefined
  // where nothing is learned; like: on the quantizer's device.
  Grid (*grid)(const kernels::FormulaArguments&, const torch::Tensor& clip_val,
               const torch::Tensor& like);
};

// The formula's loops must be compiled somewhere: LOWBIT_FORMULA_KERNELS (kernels/formula_loops.h).
template <template <class> class Formula>
FormulaMethod formula_method() {
  return {kernels::formula_kernels<Formula>(),
          [](const kernels::FormulaArguments& arguments, int64_t group) {
            return code_formula(Formula<float>(arguments, group));
          },
          [](const kernels::FormulaArguments& arguments, const torch::Tensor& clip_val,
             const torch::Tensor& like) {
            const Formula<double> formula(arguments, 0);
            torch::Tensor scale;
            if constexpr (Formula<double>::kLearns)
              scale = formula.scale(clip_val);
            else
              scale = torch::full({1}, formula.scale(), like.options().dtype(torch::kFloat64));
            const int codes = static_cast<int>(formula.highest() - formula.lowest()) + 1;
            return uniform_grid(codes, scale, formula.lowest());
          }};
}

class FormulaQuantizer : public Quantizer {
 public:
  // A learned number is parameter clip_val, one for each of `groups` groups, [1] for one of
  // features; it starts at options.boundary.
  FormulaQuantizer(const QuantShape& shape, const config::QuantOptions& options,
                   const FormulaMethod& method, int64_t groups);

  Lowering lower(const torch::Tensor& x) const override;

 protected:
  torch::Tensor quantize(const torch::Tensor& x, torch::ScalarType type) override;
  Grid grid_of(const torch::Tensor& y) const override;
  torch::Tensor clip_value() const override { return clip_val_; }
  // Of each group, as it is now.
  std::vector<CodeFormula> formulas() const;

 private:
  torch::Tensor clip_val_;  // undefined where nothing is learned
  c10::intrusive_ptr<torch::CustomClassHolder> spec_;
};

}  // namespace lowbit::quant
