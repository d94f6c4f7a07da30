#include "lowbit/config/quant_options.h"

#include "lowbit/config/option_table.h"
#include "lowbit/config/quant_choices.h"

namespace lowbit::config {
namespace {

constexpr const char* kFurther = "Quantization, further";

// What differs between the tags.
struct TagTexts {
  std::string tag;     // of the option names
  std::string tensor;  // in the help
  bool half_range_flag_sets;
  const char* half_range_help;
  const char* default_groups;
  bool has_triangle;  // the gradient of that shape
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
  table.choice(name("_adaptive"), &QuantOptions::adaptive, adaptive_choices(),
               "normalize before quantizing");
  table.choice(name("_grad_type"), &QuantOptions::grad_type, grad_type_choices(texts.has_triangle),
               "gradient through rounding, clamp and sign");
  table.choice(name("_grad_scale"), &QuantOptions::grad_scale, grad_scale_choices(),
               "factor on the gradient of a learned clip value");
  table.number(name("_scale"), &QuantOptions::scale, kPositive,
               "the 'scale' of the gradient scale; non-uniform: start of alpha; lq: place of the "
               "thresholds between levels");
  table.number(name("_correlate"), &QuantOptions::correlate, kAny,
               "factor on max|x| while the warm-up learns a clip value; not above 0: none");
  table.without_field(name("_stable"), "INT", "-1",
                      "iterations of warm-up of this tensor; -1: those of --stable");
  for (const auto& [suffix, value] : {std::pair{"_ratio", "1"}, {"_separator", "0.38"}})
    table.without_field(name(suffix), "NUMBER", value, "from old files").without_effect =
        "in any method";
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
       .has_triangle = true},
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
       .has_triangle = false},
      [](auto& o) -> auto& { return o.model.wt; }));
  append(rows_of_tag(
      {.tag = "ot",
       .tensor = "outputs of convolutions",
       .half_range_flag_sets = true,
       .half_range_help = "switch outputs to half range",
       .default_groups = "one for the layer",
       .has_triangle = false},
      [](auto& o) -> auto& { return o.model.ot; }));
  auto activations = option_table<QuantOptions>(
      kFurther, true, [](auto& o) -> auto& { return o.model.fm; });
  activations.choice({"--fm_custom"}, &QuantOptions::xnor_factor, xnor_factor_choices(),
                     "xnor: factor on the signs of activations: 1, mean|x| over the channels of a "
                     "pixel, or over the pixels of a channel");
  append(std::move(activations).rows());
  auto all_tags = option_table<ModelOptions>(
      kFurther, true, [](auto& o) -> auto& { return o.model; });
  all_tags.integer({"--stable"}, &ModelOptions::stable, kNotNegative,
                   "iterations of warm-up before quantization starts");
  all_tags.integer({"--proxquant_step", "--ps"}, &ModelOptions::proxquant_step, at_least(1),
                   "epochs (below 10 with a step policy: steps of the learning rate) until "
                   "proxquant quantizes fully");
  Option& independent =
      all_tags.without_field({"--ot_independent_parameter"}, "", "false", "from old files");
  independent.arity = Arity::none;
  independent.without_effect = "in any method";
  append(std::move(all_tags).rows());
  return all;
}

}  // namespace lowbit::config
