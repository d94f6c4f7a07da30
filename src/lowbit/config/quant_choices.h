// The names of a quantizer's choices, as options and policy files spell them.
#pragma once

#include <vector>

#include "lowbit/config/methods.h"
#include "lowbit/config/option_table.h"
#include "lowbit/config/quant_options.h"

namespace lowbit::config {

inline std::vector<Choice<Adaptive>> adaptive_choices() {
  return {{"none", Adaptive::none},
          {"var", Adaptive::var},
          {"mean", Adaptive::mean},
          {"mean-var", Adaptive::mean_var},
          {"var-mean", Adaptive::var_mean}};
}

inline std::vector<Choice<GradType>> grad_type_choices(bool with_triangle) {
  std::vector<Choice<GradType>> choices = {
      {"none", GradType::none}, {"STE", GradType::ste}, {"STE-scale", GradType::ste_scale}};
  if (with_triangle) choices.push_back({"Triangle", GradType::triangle});
  return choices;
}

inline std::vector<Choice<GradScale>> grad_scale_choices() {
  return {{"none", GradScale::none},
          {"fan-scale", GradScale::fan_scale},
          {"scale-fan", GradScale::scale_fan},
          {"element-scale", GradScale::element_scale},
          {"scale-element", GradScale::scale_element}};
}

inline std::vector<Choice<XnorFactor>> xnor_factor_choices() {
  return {{"none", XnorFactor::none},
          {"channel", XnorFactor::channel},
          {"resolution", XnorFactor::resolution}};
}

inline std::vector<Choice<Method>> method_choices() {
  std::vector<Choice<Method>> choices;
  for (const MethodRow& row : method_rows()) choices.push_back({row.name, row.method});
  return choices;
}

inline std::vector<Choice<QuantLoss>> quant_loss_choices() {
  return {{"L1", QuantLoss::l1}, {"L2", QuantLoss::l2}, {"QDL", QuantLoss::qdl}};
}

}  // namespace lowbit::config
