#include "lowbit/config/quant_options.h"

#include "lowbit/config/option_table.h"

namespace lowbit::config {
namespace {

// What differs between the tags.
struct TagTexts {
  std::string tag;     // of the option names
  std::string tensor;  // in the help
  bool half_range_flag_sets;
  const char* half_range_help;
  const char* default_groups;
  std::vector<std::string> unbuilt_gradients;
};

template <class Part>
std::vector<Option> rows_of_tag(const TagTexts& texts, Part part) {
  const auto name = [&texts](const char* suffix) {
    return std::vector<std::string>{"--" + texts.tag + suffix};
  };
  auto table = option_table<QuantOptions>(
      fmt::format("Quantization of {} ({})", texts.tensor, texts.tag), true, part);
  table.flag(name("_enable"), &QuantOptions::enable, "quantize the " + texts.tensor);
  table.whole_number(name("_bit"), &QuantOptions::bit, between(1, 8), "bits: 2^bits levels");
  table.whole_number(name("_level"), &QuantOptions::level, between(2, 256),
                     "number of levels, instead of 2^bits");
  table.flag(name("_half_range"), &QuantOptions::half_range, texts.half_range_help,
             texts.half_range_flag_sets);
  table.number(name("_boundary"), &QuantOptions::boundary, kPositive,
               "clip value: where it starts (learned) or what it is (fixed)");
  table.integer(
      name("_quant_group"), &QuantOptions::quant_group, kAny,
      fmt::format("q > 0: q groups with a clip value each; q < 0: groups of |q| channels; "
                  "0, or no even division: {}",
                  texts.default_groups));
  table.choice(name("_adaptive"), &QuantOptions::adaptive,
               {{"none", Adaptive::none}, {"var-mean", Adaptive::var_mean}},
               {"var", "mean", "mean-var"}, "normalize before quantizing");
  table.choice(
      name("_grad_type"), &QuantOptions::grad_type,
      {{"none", GradType::none}, {"STE", GradType::ste}, {"STE-scale", GradType::ste_scale}},
      texts.unbuilt_gradients, "gradient through rounding and clamp");
  table.choice(name("_grad_scale"), &QuantOptions::grad_scale,
               {{"none", GradScale::none},
                {"fan-scale", GradScale::fan_scale},
                {"scale-fan", GradScale::scale_fan},
                {"element-scale", GradScale::element_scale},
                {"scale-element", GradScale::scale_element}},
               {}, "factor on the gradient of a learned clip value");
  table.number(name("_scale"), &QuantOptions::scale, kPositive,
               "the 'scale' of the gradient scale");
  table.unbuilt(name("_ratio"), "NUMBER", "1", "ratio of the quantizer (set by policies)");
  table.unbuilt(name("_correlate"), "NUMBER", "-1", "factor on the clip value of the warm-up");
  table.unbuilt(name("_separator"), "NUMBER", "0.38", "separator of the levels");
  table.unbuilt(name("_stable"), "INT", "-1", "iterations of warm-up");
  return std::move(table).rows();
}

}  // namespace

std::vector<Option> quant_option_rows() {
  std::vector<Option> all = rows_of_tag(
      {.tag = "fm",
       .tensor = "activations",
       .half_range_flag_sets = false,
       .half_range_help = "switch activations to FULL range "
                          "(half range is their default)",
       .default_groups = "one for the layer",
       .unbuilt_gradients = {"Triangle"}},
      [](auto& o) -> auto& { return o.model.fm; });
  const auto append = [&all](std::vector<Option> rows) {
    for (Option& row : rows) all.push_back(std::move(row));
  };
  append(rows_of_tag(
      {.tag = "wt",
       .tensor = "weights",
       .half_range_flag_sets = true,
       .half_range_help = "switch weights to half range",
       .default_groups = "one per output channel",
       .unbuilt_gradients = {}},
      [](auto& o) -> auto& { return o.model.wt; }));
  append(rows_of_tag(
      {.tag = "ot",
       .tensor = "outputs of convolutions",
       .half_range_flag_sets = true,
       .half_range_help = "switch outputs to half range",
       .default_groups = "one for the layer",
       .unbuilt_gradients = {}},
      [](auto& o) -> auto& { return o.model.ot; }));
  auto table = option_table<ModelOptions>(
      "Quantization, further", true, [](auto& o) -> auto& { return o.model; });
  table.unbuilt({"--fm_custom"}, "none|channel|resolution", "none", "factor of XNOR activations");
  table.unbuilt_flag({"--ot_independent_parameter"}, "parameters of their own for outputs");
  table.unbuilt({"--proxquant_step", "--ps"}, "INT", "5", "steps of keyword proxquant");
  append(std::move(table).rows());
  return all;
}

}  // namespace lowbit::config
