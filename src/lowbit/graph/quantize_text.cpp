#include "lowbit/graph/quantize_text.h"

#include <fmt/format.h>

#include "lowbit/config/quant_choices.h"

namespace lowbit::graph {
namespace {

using config::QuantOptions;

const char* tag_name(config::Tag tag) {
  switch (tag) {
    case config::Tag::fm:
      return "activation";
    case config::Tag::wt:
      return "weight";
    case config::Tag::ot:
      break;
  }
  return "output";
}

template <class T>
std::string name_of(const std::vector<config::Choice<T>>& choices, T value) {
  for (const config::Choice<T>& choice : choices)
    if (choice.value == value) return choice.name;
  return "none";
}

}  // namespace

std::string quantize_text(const Quantize& quantize) {
  const QuantOptions& o = quantize.options;
  const QuantOptions usual;
  std::string text = fmt::format(" {} {} {} levels", tag_name(quantize.tag),
                                 config::row_of(o.method).name, o.bit || o.level ? o.levels() : 0);
  const auto flag = [&](const char* name, bool QuantOptions::*field) {
    if (o.*field) text += fmt::format(" {}", name);
  };
  const auto number = [&](const char* name, auto QuantOptions::*field) {
    if (o.*field != usual.*field) text += fmt::format(" {} {}", name, o.*field);
  };
  const auto choice = [&](const char* name, auto QuantOptions::*field, const auto& choices) {
    if (o.*field != usual.*field) text += fmt::format(" {} {}", name, name_of(choices, o.*field));
  };
  flag("half_range", &QuantOptions::half_range);
  number("scale", &QuantOptions::scale);
  number("boundary", &QuantOptions::boundary);
  number("quant_group", &QuantOptions::quant_group);
  choice("adaptive", &QuantOptions::adaptive, config::adaptive_choices());
  flag("adaptive_restore", &QuantOptions::adaptive_restore);
  choice("grad_type", &QuantOptions::grad_type, config::grad_type_choices(/*with_triangle=*/true));
  choice("grad_scale", &QuantOptions::grad_scale, config::grad_scale_choices());
  flag("independent_norm", &QuantOptions::independent_norm);
  flag("binary_mean", &QuantOptions::binary_mean);
  flag("gamma", &QuantOptions::gamma);
  flag("symmetry", &QuantOptions::symmetry);
  flag("closed_form", &QuantOptions::closed_form);
  flag("custom_update", &QuantOptions::custom_update);
  choice("xnor_factor", &QuantOptions::xnor_factor, config::xnor_factor_choices());
  number("stable", &QuantOptions::stable);
  number("correlate", &QuantOptions::correlate);
  flag("proxquant", &QuantOptions::proxquant);
  if (o.proxquant) number("proxquant_step", &QuantOptions::proxquant_step);
  if (o.loss_enable)
    text += fmt::format(" loss {} times {}", name_of(config::quant_loss_choices(), o.loss_function),
                        o.loss_alpha);
  flag("progressive", &QuantOptions::progressive);
  return text;
}

}  // namespace lowbit::graph
