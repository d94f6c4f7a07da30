// The attributes of a policy file: what each sets, and the values that it takes.
#include <algorithm>
#include <cctype>
#include <cmath>

#include "lowbit/config/policy.h"
#include "lowbit/config/quant_choices.h"
#include "lowbit/config/quant_levels.h"

namespace lowbit::config {
namespace {

constexpr int kFewestLevels = 2, kMostLevels = 256;

struct Attribute {
  std::vector<std::string> names;
  std::string values, help;
  std::function<void(QuantOptions&, Tag, const PolicyChange&)> set;
};

Argument lower(const Argument& value) {
  Argument result = value;
  std::transform(result.text.begin(), result.text.end(), result.text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

bool truth(const PolicyChange& change) {
  const std::string text = lower(change.value).text;
  if (text == "true" || text == "1") return true;
  if (text == "false" || text == "0") return false;
  throw unknown_value(change.name.text, change.value, {"True", "False"});
}

Attribute boolean(std::vector<std::string> names, bool QuantOptions::*field, std::string help) {
  return {std::move(names), "True|False", std::move(help),
          [field](QuantOptions& o, Tag, const PolicyChange& change) { o.*field = truth(change); }};
}

Attribute number(std::vector<std::string> names, double QuantOptions::*field, Range range,
                 std::string help) {
  return {std::move(names), "NUMBER", std::move(help),
          [field, range](QuantOptions& o, Tag, const PolicyChange& change) {
            o.*field = parse_number(change.name.text, change.value, range);
          }};
}

template <class T>
std::string names_text(const std::vector<Choice<T>>& choices) {
  return join(names_of(choices), "|");
}

template <class T>
T chosen(const PolicyChange& change, const std::vector<Choice<T>>& choices) {
  if (const std::optional<T> value = value_of(choices, change.value.text)) return *value;
  throw unknown_value(change.name.text, change.value, names_of(choices));
}

template <class T>
Attribute choice(std::vector<std::string> names, T QuantOptions::*field,
                 std::vector<Choice<T>> choices, std::string help) {
  const std::string values = names_text(choices);
  return {std::move(names), values, std::move(help),
          [field, choices](QuantOptions& o, Tag, const PolicyChange& change) {
            o.*field = chosen(change, choices);
          }};
}

void set_bit(QuantOptions& options, Tag, const PolicyChange& change) {
  options.bit = static_cast<int>(
      parse_integer(change.name.text, change.value, between(1, 8), /*float_spelling=*/true));
  options.level.reset();
}

void set_levels(QuantOptions& options, Tag, const PolicyChange& change) {
  const auto given = static_cast<int>(parse_integer(
      change.name.text, change.value, between(-kMostLevels, kMostLevels), /*float_spelling=*/true));
  if (given < 0 && !options.bit && !options.level)
    throw at(core::usage_error("'{}: {}': there is no number of levels to reduce", change.name.text,
                               change.value.text),
             change.value);
  const int levels = given < 0 ? options.levels() + given : given;
  if (levels < kFewestLevels || levels > kMostLevels)
    throw at(core::usage_error("'{}: {}': {} levels are out of range ({}..{})", change.name.text,
                               change.value.text, levels, kFewestLevels, kMostLevels),
             change.value);
  options.level = levels;
}

void set_grad_type(QuantOptions& options, Tag tag, const PolicyChange& change) {
  options.grad_type = chosen(change, grad_type_choices(/*with_triangle=*/tag == Tag::fm));
}

void set_method(QuantOptions& options, Tag tag, const PolicyChange& change) {
  options.method = method_of(chosen(change, method_choices()), tag);
}

void set_stable(QuantOptions& options, Tag, const PolicyChange& change) {
  options.stable = static_cast<int>(
      parse_integer(change.name.text, change.value, between(0, std::numeric_limits<int>::max())));
}

void set_quant_group(QuantOptions& options, Tag, const PolicyChange& change) {
  options.quant_group =
      static_cast<int>(parse_integer(change.name.text, change.value, between(-1000000, 1000000)));
}

Attribute without_effect(const char* name) {
  return {{name},
          "NUMBER",
          "from old files, without effect",
          [](QuantOptions&, Tag, const PolicyChange& change) {
            parse_number(change.name.text, change.value, kAny);
          }};
}

const std::vector<Attribute>& attributes() {
  using Q = QuantOptions;
  static const std::vector<Attribute> rows = {
      boolean({"enable"}, &Q::enable, "quantize"),
      {{"bit"}, "INT", "bits: 2^bit levels (1..8)", set_bit},
      {{"num_levels", "level_num", "level"},
       "INT",
       "number of levels (2..256); below 0: how many fewer than now",
       set_levels},
      boolean({"half_range"}, &Q::half_range, "codes over [0, c], not [-c, c]"),
      number({"scale"}, &Q::scale, kPositive, "as --<tag>_scale"),
      without_effect("ratio"),
      without_effect("separator"),
      number({"correlate"}, &Q::correlate, kAny, "as --<tag>_correlate"),
      choice({"adaptive"}, &Q::adaptive, adaptive_choices(), "as --<tag>_adaptive"),
      boolean({"adaptive_restore"}, &Q::adaptive_restore,
              "var-mean: mean and deviation are put back behind the quantizer"),
      choice({"grad_scale"}, &Q::grad_scale, grad_scale_choices(), "as --<tag>_grad_scale"),
      {{"grad_type"},
       names_text(grad_type_choices(/*with_triangle=*/true)),
       "as --<tag>_grad_type; Triangle for fm alone",
       set_grad_type},
      choice({"custom"}, &Q::xnor_factor, xnor_factor_choices(), "as --fm_custom"),
      {{"stable"}, "INT", "as --<tag>_stable", set_stable},
      boolean({"progressive"}, &Q::progressive,
              "a new number of levels scales a learned clip value by (new - 1) / (old - 1)"),
      boolean({"quant_loss_enable"}, &Q::loss_enable,
              "add a loss for what quantizing changes to the training loss"),
      choice({"quant_loss_function"}, &Q::loss_function, quant_loss_choices(),
             "which one (L2 without it)"),
      number({"quant_loss_alpha"}, &Q::loss_alpha, kNotNegative, "its factor (1 without it)"),
      {{"method"}, names_text(method_choices()), "as the keywords", set_method},
      number({"boundary"}, &Q::boundary, kPositive,
             "as --<tag>_boundary; a learned clip value starts anew there"),
      {{"quant_group"}, "INT", "as --<tag>_quant_group", set_quant_group},
      boolean({"gamma"}, &Q::gamma, "as keywords wt_gamma, ot_gamma, gamma"),
      boolean({"symmetry"}, &Q::symmetry, "as the keyword"),
      boolean({"independent_norm"}, &Q::independent_norm, "as the keyword"),
      boolean({"closed_form"}, &Q::closed_form, "as the keyword"),
      boolean({"custom_update"}, &Q::custom_update, "as keyword custom-update"),
      boolean({"proxquant"}, &Q::proxquant, "as the keyword"),
  };
  return rows;
}

const Attribute& find(const Argument& name) {
  std::vector<std::string> known;
  for (const Attribute& row : attributes())
    for (const std::string& each : row.names) {
      if (each == name.text) return row;
      known.push_back(each);
    }
  std::vector<std::string> meant = known;
  meant.insert(meant.end(), {"by_index", "by_tag"});
  throw at(core::usage_error("unknown attribute '{}'", name.text)
               .suggest(core::nearest_name(name.text, meant))
               .detail("Attributes: " + join(known, " ")),
           name);
}

// The options as a whole, after a change.
void check(const QuantOptions& options, Tag tag, const PolicyChange& last) {
  if (!options.enable) return;
  std::string fault;
  if (options.method == Method::none)
    fault = "quantized without a method: add 'method: lsq' or a keyword";
  else if (!options.bit && !options.level)
    fault = "quantized without a number of bits: add 'bit: 2'";
  else
    fault = level_fault(tag, options);
  if (fault.empty() && options.method == Method::xnor && options.grad_type == GradType::ste_scale)
    fault = "xnor has no gradient type STE-scale";
  if (!fault.empty()) throw at(core::usage_error("{}", fault), last.name);
}

}  // namespace

QuantOptions changed(QuantOptions options, Tag tag, const std::vector<PolicyChange>& changes) {
  for (const PolicyChange& change : changes) find(change.name).set(options, tag, change);
  if (!changes.empty()) check(options, tag, changes.back());
  return options;
}

std::vector<AttributeText> policy_attributes() {
  std::vector<AttributeText> texts;
  for (const Attribute& row : attributes())
    texts.push_back({"`" + join(row.names, "`, `") + "`", row.values, row.help});
  return texts;
}

}  // namespace lowbit::config
