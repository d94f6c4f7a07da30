#include "lowbit/graph/operation_table.h"

#include <array>

#include "lowbit/graph/dims_text.h"
#include "lowbit/graph/quantize_text.h"
#include "lowbit/graph/shape_rules.h"

namespace lowbit::graph {
namespace {

using enum InputRule::Kind;

constexpr InputRule kImage[] = {{"x", features}};
constexpr InputRule kAny[] = {{"x", any}};
constexpr InputRule kTwo[] = {{"a", any}, {"b", any}};
constexpr InputRule kWeighted[] = {
    {"x", features}, {"weight", constant}, {"bias", constant, /*optional=*/true}};
constexpr InputRule kBatchNorm[] = {{"x", features},
                                    {"weight", constant},
                                    {"bias", constant},
                                    {"running_mean", statistics},
                                    {"running_var", statistics},
                                    {"num_batches_tracked", counter, /*optional=*/true}};
constexpr InputRule kGroupNorm[] = {{"x", features}, {"weight", constant}, {"bias", constant}};
constexpr InputRule kScaledSum[] = {{"x", features}, {"scales", constant}};
constexpr InputRule kPRelu[] = {{"x", features}, {"weight", constant}};

// Collects the attributes of an operation that differ from those of a default one.
template <class Op>
class Attributes {
 public:
  explicit Attributes(const Op& op) : op_(op) {}

  template <class Field, class Text>
  Attributes& add(const char* name, Field Op::*field, Text text_of) {
    if (op_.*field != usual_.*field) text_ += fmt::format(" {} {}", name, text_of(op_.*field));
    return *this;
  }
  template <class Number>
  Attributes& add(const char* name, Number Op::*field) {
    return add(name, field, [](Number number) { return number; });
  }
  Attributes& flag(const char* name, bool Op::*field) {
    if (op_.*field) text_ += fmt::format(" {}", name);
    return *this;
  }
  // Always, without a name.
  Attributes& say(const std::string& word) {
    text_ += " " + word;
    return *this;
  }
  std::string text() const { return text_; }

 private:
  const Op& op_;
  const Op usual_;
  std::string text_;
};

std::string size_text(Size2 size) {
  return fmt::format("{}x{}", size.height, size.width);
}

std::string step_text(Size2 size) {
  return size.height == size.width ? std::to_string(size.height) : size_text(size);
}

std::string padding_text(const Padding& p) {
  if (p == Padding(p.top)) return std::to_string(p.top);
  return fmt::format("{},{},{},{}", p.top, p.left, p.bottom, p.right);
}

std::string precision_text(Precision precision) {
  return precision == Precision::full ? "full" : "fixed";
}

std::string attributes_of(const Convolution& op) {
  return Attributes(op)
      .add("stride", &Convolution::stride, step_text)
      .add("padding", &Convolution::padding, padding_text)
      .add("dilation", &Convolution::dilation, step_text)
      .add("groups", &Convolution::groups)
      .add("precision", &Convolution::precision, precision_text)
      .text();
}

std::string attributes_of(const Linear& op) {
  return Attributes(op).add("precision", &Linear::precision, precision_text).text();
}

std::string attributes_of(const BatchNorm& op) {
  return Attributes(op)
      .flag("fixed_statistics", &BatchNorm::fixed_statistics)
      .flag("affine_first", &BatchNorm::affine_first)
      .add("eps", &BatchNorm::eps)
      .add("momentum", &BatchNorm::momentum)
      .text();
}

std::string attributes_of(const GroupNorm& op) {
  return Attributes(op).say(fmt::format("groups {}", op.groups)).add("eps", &GroupNorm::eps).text();
}

std::string attributes_of(const InstanceNorm& op) {
  return Attributes(op).add("eps", &InstanceNorm::eps).text();
}

std::string attributes_of(const Clip& op) {
  return fmt::format(" {}..{}", op.low, op.high);
}

std::string attributes_of(const LeakyRelu& op) {
  return fmt::format(" slope {}", op.slope);
}

std::string attributes_of(const Quantize& op) {
  return quantize_text(op);
}

std::string attributes_of(const Concat& op) {
  return fmt::format(" axis {}", op.axis);
}

std::string attributes_of(const Slice& op) {
  return Attributes(op)
      .say(fmt::format("axis {} from {} to {}", op.axis, op.begin, op.end))
      .add("step", &Slice::step)
      .text();
}

std::string attributes_of(const Pool& op) {
  return Attributes(op)
      .say(op.kind == Pool::Kind::max ? "max" : "average")
      .say("kernel " + size_text(op.kernel))
      .say("stride " + step_text(op.stride))
      .add("padding", &Pool::padding, padding_text)
      .add("dilation", &Pool::dilation, step_text)
      .flag("ceil", &Pool::ceil)
      .add("count_padding", &Pool::count_padding)
      .text();
}

std::string attributes_of(const Mean& op) {
  return Attributes(op)
      .say(fmt::format("axes {}", fmt::join(op.axes, ",")))
      .flag("keep", &Mean::keep)
      .text();
}

std::string attributes_of(const Transpose& op) {
  return fmt::format(" {}", fmt::join(op.permutation, ","));
}

std::string attributes_of(const SpaceToDepth& op) {
  return fmt::format(" cell {}", op.cell);
}

std::string attributes_of(const DepthToSpace& op) {
  return fmt::format(" cell {}", op.cell);
}

std::string attributes_of(const Pad& op) {
  return Attributes(op).say(padding_text(op.padding)).add("value", &Pad::value).text();
}

// The rest has none, or the shape of the result says them.
template <class Op>
std::string attributes_of(const Op&) {
  return "";
}

// The name of Binary is that of its kind.
const char* arithmetic_name(Arithmetic kind) {
  switch (kind) {
    case Arithmetic::add:
      return "add";
    case Arithmetic::subtract:
      return "subtract";
    case Arithmetic::multiply:
      return "multiply";
    case Arithmetic::divide:
      break;
  }
  return "divide";
}

// `Op` says which operation the row is of.
template <class Op>
OperationRow row(const char* name, std::span<const InputRule> inputs, bool repeats = false) {
  return {.name = name,
          .inputs = inputs,
          .repeats = repeats,
          .infer = [](const Operation& op,
                      std::span<const Dims> in) { return shape_of(std::get<Op>(op), in); },
          .attributes = [](const Operation& op) { return attributes_of(std::get<Op>(op)); },
          .has_state = std::is_same_v<Op, Quantize>};
}

// In the order of the variant.
const auto& operation_table() {
  static const std::array table = {
      row<Convolution>("convolution", kWeighted),
      row<Linear>("linear", kWeighted),
      row<BatchNorm>("batch_norm", kBatchNorm),
      row<GroupNorm>("group_norm", kGroupNorm),
      row<InstanceNorm>("instance_norm", kImage),
      row<Relu>("relu", kAny),
      row<Clip>("clip", kAny),
      row<LeakyRelu>("leaky_relu", kAny),
      row<PRelu>("prelu", kPRelu),
      row<Quantize>("quantize", kAny),
      row<Binary>("binary", kTwo),
      row<Concat>("concat", kAny, /*repeats=*/true),
      row<Slice>("slice", kAny),
      row<Pool>("pool", kImage),
      row<Mean>("mean", kImage),
      row<Reshape>("reshape", kAny),
      row<Transpose>("transpose", kAny),
      row<SpaceToDepth>("space_to_depth", kImage),
      row<DepthToSpace>("depth_to_space", kImage),
      row<Pad>("pad", kImage),
      row<ScaledSum>("scaled_sum", kScaledSum),
      row<Widen>("widen", kImage),
  };
  static_assert(std::tuple_size_v<decltype(table)> == std::variant_size_v<Operation>);
  return table;
}

void check_kind(const InputRule& rule, const Operand& operand) {
  const bool is_statistics = operand.role == Role::statistics;
  const bool is_counter = operand.role == Role::counter;
  switch (rule.kind) {
    case features:
      if (!operand.type.batched)
        throw core::usage_error("its {} is a parameter, not features", rule.name);
      return;
    case statistics:
      if (!is_statistics) throw core::usage_error("its {} is no running statistics", rule.name);
      return;
    case counter:
      if (!is_counter) throw core::usage_error("its {} is no counter", rule.name);
      return;
    case constant:
      if (operand.type.batched)
        throw core::usage_error("its {} is features, not a parameter", rule.name);
      break;
    case any:
      break;
  }
  // A pass changes them while it runs.
  if (is_statistics || is_counter)
    throw core::usage_error("its {} is a buffer of a norm", rule.name);
}

void check_count(const OperationRow& row, size_t count) {
  size_t least = 0;
  for (const InputRule& rule : row.inputs) least += !rule.optional;
  const size_t most = row.repeats ? kMaxInputs : row.inputs.size();
  if (count >= least && count <= most) return;
  if (least == most) throw core::usage_error("it has {} inputs, not {}", count, least);
  throw core::usage_error("it has {} inputs, not {} to {}", count, least, most);
}

// Operations whose rules depend on more than kinds and shapes.
void check_batches(const Operation& operation, std::span<const Operand> inputs) {
  const bool batched = inputs[0].type.batched;
  if (const auto* quantize = std::get_if<Quantize>(&operation)) {
    if (batched == (quantize->tag == config::Tag::wt))
      throw core::usage_error("a quantizer of {} has {} as its input",
                              batched ? "weights" : "features",
                              batched ? "features" : "a parameter");
  } else if (std::holds_alternative<Binary>(operation)) {
    const Type &a = inputs[0].type, &b = inputs[1].type;
    const bool suits = a.batched == b.batched
                           ? !a.batched || a.dims.size() == b.dims.size()
                           : (a.batched ? a : b).dims.size() >= (a.batched ? b : a).dims.size();
    if (!suits)
      throw core::usage_error("numbers of axes of {} and {} do not fit", dims_text(a.dims),
                              dims_text(b.dims));
  } else if (std::holds_alternative<Concat>(operation)) {
    for (const Operand& input : inputs)
      if (input.type.batched != batched)
        throw core::usage_error("it joins features with a parameter");
  }
}

}  // namespace

const OperationRow& row_of(const Operation& operation) {
  return operation_table()[operation.index()];
}

std::string operation_name(const Operation& operation) {
  if (const auto* binary = std::get_if<Binary>(&operation)) return arithmetic_name(binary->kind);
  return row_of(operation).name;
}

const InputRule& input_rule(const OperationRow& row, size_t index) {
  return row.inputs[std::min(index, row.inputs.size() - 1)];
}

Type infer(std::string_view node, const Operation& operation, std::span<const Operand> inputs) {
  const OperationRow& row = row_of(operation);
  try {
    check_count(row, inputs.size());
    Type type;
    std::vector<Dims> dims;
    for (size_t i = 0; i < inputs.size(); ++i) {
      check_kind(input_rule(row, i), inputs[i]);
      type.batched |= inputs[i].type.batched;
      dims.push_back(inputs[i].type.dims);
    }
    check_batches(operation, inputs);
    type.dims = row.infer(operation, dims);
    check_dims(type.dims);
    return type;
  } catch (const core::Error& error) {
    throw core::usage_error("node '{}' ({}): {}", node, operation_name(operation), error.what());
  }
}

}  // namespace lowbit::graph
