#include "lowbit/graph/builder.h"

#include <cmath>

#include "lowbit/core/error.h"
#include "lowbit/graph/dims_text.h"
#include "lowbit/graph/operation_table.h"
#include "lowbit/graph/verify.h"

namespace lowbit::graph {
namespace {

constexpr double kSlope = 0.25;  // of a PReLU at the start

Init starts_at(double value) {
  return {.kind = Init::Kind::constant, .value = value};
}

std::string below(std::string_view layer, std::string_view name) {
  return fmt::format("{}.{}", layer, name);
}

}  // namespace

Builder::Scope::Scope(Builder& builder, std::string_view name)
    : builder_(builder), length_(builder.prefix_.size()) {
  builder_.prefix_ += name;
  builder_.tree_.add_module(builder_.prefix_);
  builder_.prefix_ += '.';
}

Builder::Builder(std::string name) {
  graph_.name = std::move(name);
}

ValueId Builder::add_value(std::string name, Type type, std::optional<Role> role) {
  if (!names_.insert(name).second)
    throw core::usage_error("there are two nodes or parameters '{}'", name);
  roles_.push_back(role);
  return graph_.add_value(std::move(name), std::move(type));
}

ValueId Builder::input(const Dims& dims, std::string_view name) {
  if (!graph_.values.empty()) throw core::usage_error("the input is the first value of a graph");
  check_dims(dims);
  return graph_.input = add_value(std::string(name), {dims, /*batched=*/true}, std::nullopt);
}

void Builder::children(const std::vector<std::string>& names) {
  for (const std::string& name : names) tree_.add_module(full_name(name));
}

ValueId Builder::parameter(std::string_view name, const Dims& dims, Role role, const Init& init) {
  const std::string full = full_name(name);
  try {
    check_dims(dims);
  } catch (const core::Error& error) {
    throw core::usage_error("parameter '{}': {}", full, error.what());
  }
  const ValueId id = add_value(full, {dims, /*batched=*/false}, role);
  graph_.parameters.push_back({id, role, init});
  tree_.add_entry(full, id, is_buffer(role));
  return id;
}

ValueId Builder::node(std::string_view name, const Operation& operation,
                      std::vector<ValueId> inputs) {
  const std::string full = full_name(name);
  std::vector<Operand> operands;
  for (const ValueId input : inputs)
    operands.push_back({graph_.value(input).type, roles_.at(static_cast<size_t>(input))});
  const ValueId output = add_value(full, infer(full, operation, operands), std::nullopt);
  graph_.nodes.push_back({operation, std::move(inputs), output});
  if (row_of(operation).has_state) tree_.add_stateful(full, output);
  return output;
}

ValueId Builder::convolution(std::string_view name, ValueId x, const ConvolutionSpec& spec) {
  // A number of groups that divides nothing is named by the node.
  const int64_t in = spec.groups > 0 ? std::max<int64_t>(channels(x) / spec.groups, 1) : 1;
  std::vector<ValueId> inputs = {
      x,
      parameter(below(name, "weight"), {spec.out, in, spec.kernel.height, spec.kernel.width},
                Role::trained, {.kind = Init::Kind::kaiming_normal, .factor = spec.init_factor})};
  if (spec.bias)
    inputs.push_back(parameter(below(name, "bias"), {spec.out}, Role::trained, starts_at(0)));
  return node(name,
              Convolution{.stride = spec.stride,
                          .padding = spec.padding,
                          .dilation = spec.dilation,
                          .groups = spec.groups,
                          .precision = spec.precision},
              std::move(inputs));
}

ValueId Builder::linear(std::string_view name, ValueId x, const LinearSpec& spec) {
  const int64_t in = dims(x).back();
  const Init init = {.kind = Init::Kind::uniform,
                     .value = 1 / std::sqrt(static_cast<double>(in)),
                     .factor = spec.init_factor};
  std::vector<ValueId> inputs = {
      x, parameter(below(name, "weight"), {spec.out, in}, Role::trained, init)};
  if (spec.bias) inputs.push_back(parameter(below(name, "bias"), {spec.out}, Role::trained, init));
  return node(name, Linear{spec.precision}, std::move(inputs));
}

std::vector<ValueId> Builder::group_norm_parameters(std::string_view name, int64_t channels,
                                                    const NormSpec& spec) {
  return {parameter(below(name, "weight"), {channels}, spec.role, starts_at(spec.weight)),
          parameter(below(name, "bias"), {channels}, spec.role, starts_at(0))};
}

std::vector<ValueId> Builder::batch_norm_parameters(std::string_view name, int64_t channels,
                                                    const NormSpec& spec) {
  std::vector<ValueId> ids = group_norm_parameters(name, channels, spec);
  ids.push_back(parameter(below(name, "running_mean"), {channels}, Role::statistics, starts_at(0)));
  ids.push_back(parameter(below(name, "running_var"), {channels}, Role::statistics, starts_at(1)));
  ids.push_back(parameter(below(name, "num_batches_tracked"), {}, Role::counter, starts_at(0)));
  return ids;
}

ValueId Builder::batch_norm(std::string_view name, ValueId x, const BatchNorm& norm,
                            const NormSpec& spec) {
  std::vector<ValueId> inputs = batch_norm_parameters(name, channels(x), spec);
  inputs.insert(inputs.begin(), x);
  return node(name, norm, std::move(inputs));
}

ValueId Builder::group_norm(std::string_view name, ValueId x, const GroupNorm& norm,
                            const NormSpec& spec) {
  std::vector<ValueId> inputs = group_norm_parameters(name, channels(x), spec);
  inputs.insert(inputs.begin(), x);
  return node(name, norm, std::move(inputs));
}

ValueId Builder::prelu_slope(std::string_view name, Role role) {
  return parameter(below(name, "weight"), {1}, role, starts_at(kSlope));
}

ValueId Builder::prelu(std::string_view name, ValueId x) {
  return node(name, PRelu{}, {x, prelu_slope(name)});
}

ValueId Builder::add(std::string_view name, ValueId a, ValueId b) {
  return node(name, Binary{Arithmetic::add}, {a, b});
}

ValueId Builder::multiply(std::string_view name, ValueId a, ValueId b) {
  return node(name, Binary{Arithmetic::multiply}, {a, b});
}

ValueId Builder::concat(std::string_view name, std::vector<ValueId> parts) {
  return node(name, Concat{.axis = 0}, std::move(parts));
}

ValueId Builder::repeat_channels(std::string_view name, ValueId x, int64_t times) {
  if (times == 1) return x;
  return concat(name, std::vector<ValueId>(static_cast<size_t>(times), x));
}

ValueId Builder::global_average(std::string_view name, ValueId x) {
  return node(name, Mean{.axes = {1, 2}}, {x});
}

ValueId Builder::flatten(std::string_view name, ValueId x) {
  return node(name, Reshape{.dims = {element_count(dims(x))}}, {x});
}

std::string Builder::unused_name(std::string_view name) const {
  std::string free(name);
  for (int i = 1; names_.contains(full_name(free)); ++i) free = fmt::format("{}_{}", name, i);
  return free;
}

Graph Builder::finish(ValueId output) {
  graph_.output = output;
  graph_.state = tree_.order();
  verify(graph_);
  return std::move(graph_);
}

}  // namespace lowbit::graph
