#include "lowbit/quant/pact.h"

#include "lowbit/kernels/math/pact.h"
#include "lowbit/quant/dorefa.h"
#include "lowbit/quant/formula_quantizer.h"

namespace lowbit::quant {
namespace {

// One clip value, whatever the groups.
class Pact : public FormulaQuantizer {
 public:
  Pact(const QuantShape& shape, const config::QuantOptions& options)
      : FormulaQuantizer(shape, options, formula_method<kernels::Pact>(), /*groups=*/1) {}

 protected:
  // As long as clip_val is above 0: below it PACT maps every number to clip_val.
  bool maps_zero() const override { return true; }

  std::optional<kernels::FeatureQuantizer> feature_formula() const override {
    return kernels::FeatureQuantizer{.kind = kernels::FeatureQuantizerKind::pact};
  }
};

}  // namespace

std::shared_ptr<Quantizer> make_pact(const QuantShape& shape, const config::QuantOptions& options) {
  if (shape.tag == config::Tag::wt) return make_dorefa(shape, options);
  return std::make_shared<Pact>(shape, options);
}

}  // namespace lowbit::quant
