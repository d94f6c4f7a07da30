#include "lowbit/config/quant_options.h"

#include <functional>

#include "lowbit/config/option_table.h"
#include "lowbit/config/quant_choices.h"

namespace lowbit::config {
namespace {

constexpr const char* kFurther = "Quantization, further";

using Idle = std::function<std::string(const Options&)>;

// The reason why an option of the tag has no effect: the tag is not quantized, or the method does
// not read the option. A policy may change either.
Idle of_tag(Tag tag, std::string (*reason)(Tag, const QuantOptions&) = nullptr) {
  static constexpr const char* kNames[] = {"fm", "wt", "ot"};
  return [=](const Options& options) -> std::string {
    if (!options.model.policy.sections.empty()) return "";
    const QuantOptions& quant = options.model.tag(tag);
    if (!quant.enable)
      return fmt::format("without '--{}_enable'", kNames[static_cast<size_t>(tag)]);
    return reason ? reason(tag, quant) : "";
  };
}

std::string with_method(const QuantOptions& quant) {
  return fmt::format("with method {}", row_of(quant.method).name);
}

template <MethodOption option>
std::string only_if_read(Tag tag, const QuantOptions& quant) {
  return reads(quant.method, tag, option) ? "" : with_method(quant);
}

std::string idle_half_range(Tag tag, const QuantOptions& quant) {
  if (tag == Tag::wt && quant.method == Method::lsq) return ": lsq quantizes weights in full range";
  return only_if_read<kReadsHalfRange>(tag, quant);
}

std::string idle_groups(Tag tag, const QuantOptions& quant) {
  if (quant.gamma || (tag == Tag::wt && quant.adaptive != Adaptive::none)) return "";
  return only_if_read<kReadsGroups>(tag, quant);
}

std::string idle_gradient(Tag, const QuantOptions& quant) {
  const Method method = quant.method;
  if (quant.grad_type == GradType::triangle && method != Method::xnor)
    return ": only xnor has Triangle";
  // xnor refuses it.
  if (quant.grad_type == GradType::ste_scale && method != Method::lsq &&
      method != Method::non_uniform && method != Method::xnor)
    return ": only lsq and non-uniform have STE-scale";
  return "";
}

std::string idle_normalization(Tag tag, const QuantOptions& quant) {
  using enum Adaptive;
  if (quant.method == Method::lq) {
    const bool acts = tag == Tag::wt ? quant.adaptive != var_mean
                                     : quant.adaptive == mean || quant.adaptive == var;
    return acts ? "" : tag == Tag::wt ? ": lq has mean, var and mean-var" : ": lq has mean and var";
  }
  if (tag != Tag::wt) return ": only weights are normalized";
  return quant.adaptive == var_mean ? "" : ": only lq has anything but var-mean";
}

std::string idle_scale(Tag tag, const QuantOptions& quant) {
  if (quant.method == Method::lsq && quant.grad_scale == GradScale::none)
    return "without a gradient scale";
  return only_if_read<kReadsScale>(tag, quant);
}

std::string idle_correlate(Tag tag, const QuantOptions& quant) {
  if (quant.stable == 0) return "without a warm-up (--stable)";
  return only_if_read<kReadsCorrelate>(tag, quant);
}

// The factor on the signs of activations.
std::string idle_factor(Tag, const QuantOptions& quant) {
  return quant.method == Method::xnor ? "" : with_method(quant);
}

std::string idle_warm_up(Tag, const QuantOptions& quant) {
  return quant.method == Method::xnor ? "with method xnor, which has no warm-up" : "";
}

// Of an option for all tags: the reason of the last, if each has one.
Idle of_all_tags(std::string (*reason)(Tag, const QuantOptions&)) {
  return [=](const Options& options) -> std::string {
    std::string found;
    for (const Tag tag : {Tag::ot, Tag::wt, Tag::fm}) {
      const std::string here = of_tag(tag, reason)(options);
      if (here.empty()) return "";
      if (found.empty() || options.model.tag(tag).enable) found = here;
    }
    const ModelOptions& model = options.model;
    const bool quantized = model.fm.enable || model.wt.enable || model.ot.enable;
    return quantized ? found : ": nothing is quantized";
  };
}

// What differs between the tags.
struct TagTexts {
  Tag id;
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
  const Tag tag = texts.id;
  table.whole_number(name("_bit"), &QuantOptions::bit, between(1, 8), "bits: 2^bits levels").idle =
      of_tag(tag);
  table
      .whole_number(name("_level"), &QuantOptions::level, between(2, 256),
                    "number of levels, instead of 2^bits")
      .idle = of_tag(tag);
  table
      .flag(name("_half_range"), &QuantOptions::half_range, texts.half_range_help,
            texts.half_range_flag_sets)
      .idle = of_tag(tag, idle_half_range);
  table
      .number(name("_boundary"), &QuantOptions::boundary, kPositive,
              "clip value: where it starts (learned) or what it is (fixed)")
      .idle = of_tag(tag, only_if_read<kReadsBoundary>);
  table
      .integer(name("_quant_group"), &QuantOptions::quant_group, kAny,
               fmt::format("q > 0: q groups with a clip value each; q < 0: groups of |q| channels; "
                           "0, or no even division: {}",
                           texts.default_groups))
      .idle = [idle = of_tag(tag, idle_groups), tag](const Options& options) {
    const bool groups_norms = tag == Tag::fm && options.model.norm == Norm::group;
    return groups_norms ? "" : idle(options);
  };
  table
      .choice(name("_adaptive"), &QuantOptions::adaptive, adaptive_choices(),
              "normalize before quantizing")
      .idle = of_tag(tag, idle_normalization);
  table
      .choice(name("_grad_type"), &QuantOptions::grad_type, grad_type_choices(texts.has_triangle),
              "gradient through rounding, clamp and sign")
      .idle = of_tag(tag, idle_gradient);
  table
      .choice(name("_grad_scale"), &QuantOptions::grad_scale, grad_scale_choices(),
              "factor on the gradient of a learned clip value")
      .idle = of_tag(tag, only_if_read<kReadsGradScale>);
  table
      .number(name("_scale"), &QuantOptions::scale, kPositive,
              "the 'scale' of the gradient scale; non-uniform: start of alpha; lq: place of the "
              "thresholds between levels")
      .idle = of_tag(tag, idle_scale);
  table
      .number(name("_correlate"), &QuantOptions::correlate, kAny,
              "factor on max|x| while the warm-up learns a clip value; not above 0: none")
      .idle = of_tag(tag, idle_correlate);
  table
      .without_field(name("_stable"), "INT", "-1",
                     "iterations of warm-up of this tensor; -1: those of --stable")
      .idle = of_tag(tag, idle_warm_up);
  for (const auto& [suffix, value] : {std::pair{"_ratio", "1"}, {"_separator", "0.38"}})
    table.without_field(name(suffix), "NUMBER", value, "from old files").without_effect =
        "in any method";
  return std::move(table).rows();
}

}  // namespace

std::vector<Option> quant_option_rows() {
  std::vector<Option> all = rows_of_tag(
      {.id = Tag::fm,
       .tag = "fm",
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
      {.id = Tag::wt,
       .tag = "wt",
       .tensor = "weights",
       .half_range_flag_sets = true,
       .half_range_help = "switch weights to half range",
       .default_groups = "one per output channel",
       .has_triangle = false},
      [](auto& o) -> auto& { return o.model.wt; }));
  append(rows_of_tag(
      {.id = Tag::ot,
       .tag = "ot",
       .tensor = "outputs of convolutions",
       .half_range_flag_sets = true,
       .half_range_help = "switch outputs to half range",
       .default_groups = "one for the layer",
       .has_triangle = false},
      [](auto& o) -> auto& { return o.model.ot; }));
  auto activations = option_table<QuantOptions>(
      kFurther, true, [](auto& o) -> auto& { return o.model.fm; });
  activations
      .choice({"--fm_custom"}, &QuantOptions::xnor_factor, xnor_factor_choices(),
              "xnor: factor on the signs of activations: 1, mean|x| over the channels of a "
              "pixel, or over the pixels of a channel")
      .idle = of_tag(Tag::fm, idle_factor);
  append(std::move(activations).rows());
  auto all_tags = option_table<ModelOptions>(
      kFurther, true, [](auto& o) -> auto& { return o.model; });
  all_tags
      .integer({"--stable"}, &ModelOptions::stable, kNotNegative,
               "iterations of warm-up before quantization starts")
      .idle = of_all_tags(idle_warm_up);
  all_tags
      .integer({"--proxquant_step", "--ps"}, &ModelOptions::proxquant_step, at_least(1),
               "epochs (below 10 with a step policy: steps of the learning rate) until "
               "proxquant quantizes fully")
      .idle = [](const Options& options) {
    return options.model.fm.proxquant ? "" : "without keyword 'proxquant'";
  };
  Option& independent =
      all_tags.without_field({"--ot_independent_parameter"}, "", "false", "from old files");
  independent.arity = Arity::none;
  independent.without_effect = "in any method";
  append(std::move(all_tags).rows());
  return all;
}

}  // namespace lowbit::config
