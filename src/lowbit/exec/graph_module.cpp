#include "lowbit/exec/graph_module.h"

#include <torch/nn/init.h>

#include <algorithm>

#include "lowbit/exec/branches.h"
#include "lowbit/exec/compute.h"
#include "lowbit/exec/norms.h"
#include "lowbit/kernels/batch_norm.h"
#include "lowbit/nn/fused_passes.h"
#include "lowbit/nn/norm_pass.h"
#include "lowbit/nn/side_by_side.h"
#include "lowbit/quant/factory.h"

namespace lowbit::exec {
namespace {

using graph::Node;
using graph::ValueId;

class Group : public torch::nn::Module {};

torch::Tensor start_value(const graph::Parameter& parameter, const graph::Dims& dims) {
  if (parameter.role == graph::Role::counter) return torch::zeros(dims, torch::kInt64);
  torch::Tensor tensor = torch::empty(dims);
  const graph::Init& init = parameter.init;
  switch (init.kind) {
    case graph::Init::Kind::constant:
      tensor.fill_(init.value);
      break;
    case graph::Init::Kind::kaiming_normal:
      torch::nn::init::kaiming_normal_(tensor, 0, torch::kFanOut, torch::kReLU);
      break;
    case graph::Init::Kind::uniform:
      tensor.uniform_(-init.value, init.value);
      break;
  }
  // 0 and not -0.
  if (init.factor == 0)
    tensor.zero_();
  else if (init.factor != 1)
    tensor.mul_(init.factor);
  return tensor.set_requires_grad(parameter.role == graph::Role::trained);
}

std::shared_ptr<quant::Quantizer> make(const graph::Quantize& q) {
  return quant::make_quantizer({q.tag, q.shape, q.batch_size, q.input_size}, q.options);
}

// Integers (counters, codes) stay integers.
void move_to(torch::nn::Module& module, const torch::Tensor& like) {
  const auto move = [&like](torch::Tensor tensor) {
    tensor.set_data(tensor.is_floating_point() ? tensor.detach().to(like.options())
                                               : tensor.detach().to(like.device()));
  };
  for (const torch::Tensor& tensor : module.parameters()) move(tensor);
  for (const torch::Tensor& tensor : module.buffers()) move(tensor);
}

// Whether nothing but the number of levels (and that it is progressive) is different.
bool only_levels_differ(graph::Quantize a, const graph::Quantize& b) {
  a.options.bit = b.options.bit;
  a.options.level = b.options.level;
  a.options.progressive = b.options.progressive;
  return a == b;
}

}  // namespace

// One pass over the plan's graph.
class GraphModule::Run {
 public:
  Run(GraphModule& module, Arithmetic arithmetic, const Probe* probe)
      : module_(module),
        plan_(*module.plan_),
        arithmetic_(arithmetic),
        probe_(probe),
        values_(plan_.joined.values.size()) {
    if (probe) shown_.resize(module.graph_.values.size());
  }

  torch::Tensor operator()(const torch::Tensor& images) {
    for (const graph::Parameter& parameter : plan_.joined.parameters) take(parameter.value);
    values_[index(plan_.joined.input)] = images;
    for (const Step& step : plan_.steps) {
      for (size_t i = do_at_once(step); i < step.nodes.size(); ++i) {
        const Node& node = plan_.joined.nodes[step.nodes[i]];
        values_[index(node.output)] = compute(node);
      }
      if (probe_) show(step);
      for (const ValueId id : step.last_read) values_[index(id)] = torch::Tensor();
    }
    return values_[index(plan_.joined.output)];
  }

 private:
  const torch::Tensor& value(ValueId id) const { return values_[index(id)]; }
  const Node& node(const Step& step, size_t place) const {
    return plan_.joined.nodes[step.nodes[place]];
  }
  const quant::Quantizer* quantizer(ValueId id) const {
    return module_.planned_quantizers_[index(id)];
  }
  std::vector<torch::Tensor> inputs(const Node& node) const {
    std::vector<torch::Tensor> tensors;
    for (const ValueId id : node.inputs) tensors.push_back(value(id));
    return tensors;
  }

  void take(ValueId parameter) {
    std::vector<torch::Tensor> parts;
    for (const ValueId part : plan_.parts[index(parameter)])
      parts.push_back(module_.tensors_[index(part)]);
    values_[index(parameter)] = parts.size() == 1 ? parts.front() : nn::side_by_side(parts);
  }

  // How many nodes of a step, from its first one on, one pass has done.
  size_t do_at_once(const Step& step) {
    const Node& first = node(step, 0);
    if (const auto* norm = std::get_if<graph::BatchNorm>(&first.operation))
      return normalize_at_once(*norm, step);
    if (step.nodes.size() == 1 || !std::holds_alternative<graph::Concat>(first.operation)) return 0;
    const Node& sum = node(step, 1);
    const torch::Tensor& y = value(sum.inputs[sum.inputs[0] == first.output ? 1 : 0]);
    values_[index(sum.output)] = add_to_each(y, value(first.inputs[0]));
    return 2;
  }

  // A probe sees every value, so the nodes run one by one; the bits are the same.
  size_t normalize_at_once(const graph::BatchNorm& op, const Step& step) {
    const Node& norm = node(step, 0);
    const std::vector<torch::Tensor> in = inputs(norm);
    if (!has_norm_pass(op, in, module_.is_training())) return 0;
    nn::NormPass pass = norm_pass(op, in);
    pass.workspace = module_.norm_workspaces_[index(norm.output)];
    const size_t most = probe_ ? 1 : step.nodes.size();
    size_t done = 1;
    if (done < most && std::holds_alternative<graph::Binary>(node(step, done).operation)) {
      const Node& sum = node(step, done);
      const torch::Tensor& skip = value(sum.inputs[sum.inputs[0] == norm.output ? 1 : 0]);
      const bool suits = skip.sizes() == in[0].sizes() && skip.device() == in[0].device() &&
                         skip.scalar_type() == in[0].scalar_type() && nn::has_fused_passes(skip);
      if (suits) {
        pass.skip = skip;
        pass.activation = activation(node(step, 2));
        done = 3;
      }
    } else {
      if (done < most && !std::holds_alternative<graph::Quantize>(node(step, done).operation))
        pass.activation = activation(node(step, done++));
      if (done < most) pass.quantizer = quantizer(node(step, done).output)->feature_form();
      if (pass.quantizer) ++done;
    }
    values_[index(node(step, done - 1).output)] = nn::norm_pass(in[0], pass);
    return done;
  }

  static kernels::NormActivation activation(const Node& node) {
    return std::holds_alternative<graph::Relu>(node.operation) ? kernels::NormActivation::relu
                                                               : kernels::NormActivation::relu6;
  }

  // A value of the network's graph.
  torch::Tensor shown(ValueId id) const {
    if (module_.tensors_[index(id)].defined()) return module_.tensors_[index(id)];
    const auto& place = plan_.places[index(id)];
    if (!place) return shown_[index(id)];
    const torch::Tensor& all = value(place->value);
    return place->channels == 0 ? all : all.narrow(1, place->begin, place->channels);
  }

  // Values that the plan does not need are computed for the probe alone.
  void show(const Step& step) {
    for (const size_t i : step.seen) {
      const Node& node = module_.graph_.nodes[i];
      if (!plan_.places[index(node.output)]) {
        std::vector<torch::Tensor> tensors;
        for (const ValueId id : node.inputs) tensors.push_back(shown(id));
        shown_[index(node.output)] =
            exec::compute(node.operation, {.tensors = tensors, .batched = true, .training = false});
      }
      (*probe_)(node, shown(node.inputs[0]), shown(node.output));
    }
  }

  torch::Tensor compute(const Node& node) {
    if (const auto* op = std::get_if<graph::Convolution>(&node.operation))
      return convolution(*op, node);
    if (std::holds_alternative<graph::Linear>(node.operation)) return linear(node);
    if (const auto* op = std::get_if<graph::Quantize>(&node.operation)) return quantize(*op, node);
    return exec::compute(node.operation, {.tensors = inputs(node),
                                          .batched = plan_.joined.value(node.output).type.batched,
                                          .training = module_.is_training()});
  }

  torch::Tensor quantize(const graph::Quantize& op, const Node& node) {
    quant::Quantizer& method = *module_.planned_quantizers_[index(node.output)];
    const torch::Tensor& x = value(node.inputs[0]);
    const torch::ScalarType type = op.tag == config::Tag::wt ? weight_type(node) : x.scalar_type();
    return x.dim() == 4 ? method.forward(x, type)
                        : method.forward(quantizer_input(op, x), type).view_as(x);
  }

  // A weight is quantized to the type of the features that it meets. Several that are one weight
  // keep their own: they are cast together, and their gradients, too.
  torch::ScalarType weight_type(const Node& quantizer) const {
    const auto features = module_.features_of_.find(quantizer.output);
    const torch::Tensor& x = features == module_.features_of_.end() ? value(quantizer.inputs[0])
                                                                    : value(features->second);
    return x.defined() ? x.scalar_type() : value(quantizer.inputs[0]).scalar_type();
  }

  torch::Tensor bias(const Node& node, torch::ScalarType type) const {
    return node.inputs.size() > 2 ? value(node.inputs[2]).to(type) : torch::Tensor();
  }

  // Of a weight, or of those of several branches one behind the other.
  std::optional<WholeNumbers> weight_numbers(ValueId weight) const {
    const std::vector<quant::Quantizer*>& quantizers = module_.weight_quantizers_.at(weight);
    std::vector<torch::Tensor> numbers, units;
    int64_t begin = 0;
    for (const quant::Quantizer* each : quantizers) {
      torch::Tensor part = value(weight);
      const int64_t size = part.size(0) / static_cast<int64_t>(quantizers.size());
      if (quantizers.size() > 1) part = part.narrow(0, begin, size);
      begin += size;
      if (part.dim() != 4) part = part.view(each->shape().shape);
      const auto whole = whole_numbers(*each, part);
      if (!whole) return std::nullopt;
      numbers.push_back(whole->numbers);
      units.push_back(whole->unit);
    }
    if (numbers.empty()) return std::nullopt;
    if (numbers.size() == 1) return WholeNumbers{numbers[0], units[0]};
    return WholeNumbers{torch::cat(numbers), torch::cat(units)};
  }

  struct Numbers {
    WholeNumbers x, weight;
  };
  // Input and weight of a layer; nothing where they are not both whole numbers.
  std::optional<Numbers> numbers(const Node& layer) const {
    if (arithmetic_ != Arithmetic::whole_numbers) return std::nullopt;
    const quant::Quantizer* fm = quantizer(layer.inputs[0]);
    if (!fm || fm->shape().tag != config::Tag::fm) return std::nullopt;
    auto x = whole_numbers(*fm, value(layer.inputs[0]));
    if (!x) return std::nullopt;
    auto weight = weight_numbers(layer.inputs[1]);
    if (!weight) return std::nullopt;
    return Numbers{*std::move(x), *std::move(weight)};
  }

  torch::Tensor convolution(const graph::Convolution& op, const Node& node) const {
    const torch::Tensor& x = value(node.inputs[0]);
    const torch::ScalarType type = x.scalar_type();
    const auto whole = numbers(node);
    if (!whole) return convolve(op, x, value(node.inputs[1]).to(type), bias(node, type));
    torch::Tensor sums = convolve(op, whole->x.numbers, whole->weight.numbers, /*bias=*/{});
    // Libraries for GPUs may choose an algorithm that transforms its inputs.
    if (sums.is_cuda()) sums.round_();
    sums.mul_((whole->x.unit * whole->weight.unit).to(type).view({1, -1, 1, 1}));
    const torch::Tensor added = bias(node, type);
    return added.defined() ? sums.add_(added.view({1, -1, 1, 1})) : sums;
  }

  torch::Tensor linear(const Node& node) const {
    const torch::Tensor& x = value(node.inputs[0]);
    const torch::ScalarType type = x.scalar_type();
    const torch::Tensor& weight = value(node.inputs[1]);
    const auto whole = numbers(node);
    if (!whole) return torch::linear(x, weight.to(type), bias(node, type));
    const torch::Tensor sums =
        torch::linear(whole->x.numbers, whole->weight.numbers.view_as(weight));
    const torch::Tensor y = sums * (whole->x.unit * whole->weight.unit).to(type);
    const torch::Tensor added = bias(node, type);
    return added.defined() ? y + added : y;
  }

  GraphModule& module_;
  const Plan& plan_;
  const Arithmetic arithmetic_;
  const Probe* probe_;
  std::vector<torch::Tensor> values_;  // of the joined graph
  std::vector<torch::Tensor> shown_;   // of the network's graph: what the plan does without
};

GraphModule::GraphModule(graph::Graph graph) : graph_(std::move(graph)) {
  take_state({}, {});
}

quant::Quantizer* GraphModule::quantizer(const std::string& name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second.get();
}

torch::Tensor GraphModule::tensor(const std::string& name) const {
  for (const graph::Parameter& parameter : graph_.parameters)
    if (graph_.value(parameter.value).name == name) return tensors_[index(parameter.value)];
  return {};
}

GraphModule::Change GraphModule::replace_graph(graph::Graph next) {
  const torch::NoGradGuard no_grad;
  Change change;
  std::map<std::string, const graph::Quantize*> before;
  for (const Node& node : graph_.nodes)
    if (const auto* op = std::get_if<graph::Quantize>(&node.operation))
      before[graph_.name_of(node)] = op;
  std::map<std::string, QuantizerPtr> quantizers;
  for (const Node& node : next.nodes)
    if (const auto* op = std::get_if<graph::Quantize>(&node.operation)) {
      const std::string& name = next.name_of(node);
      quantizers[name] = successor(*op, before[name], by_name_[name], change);
    }
  std::erase_if(by_name_, [](const auto& each) { return !each.second; });
  for (const auto& [name, old] : by_name_) change.replaced |= !quantizers.contains(name);
  std::map<std::string, torch::Tensor> tensors;
  for (const graph::Parameter& parameter : graph_.parameters)
    tensors[graph_.value(parameter.value).name] = tensors_[index(parameter.value)];
  graph_ = std::move(next);
  take_state(tensors, quantizers);
  return change;
}

GraphModule::QuantizerPtr GraphModule::successor(const graph::Quantize& next,
                                                 const graph::Quantize* before,
                                                 const QuantizerPtr& old, Change& change) const {
  if (before && *before == next) return old;
  if (before && next.options.progressive && old->follows_level_num() &&
      only_levels_differ(*before, next)) {
    if (next.options.levels() != before->options.levels())
      if (const torch::Tensor clip = old->set_level_num(next.options.levels()); clip.defined())
        change.started.push_back(clip);
    return old;
  }
  const QuantizerPtr made = make(next);
  for (const torch::Tensor& like : tensors_)
    if (like.defined() && like.is_floating_point()) {
      move_to(*made, like);
      break;
    }
  for (const torch::Tensor& tensor : before ? made->inherit(*old) : made->parameters())
    change.started.push_back(tensor);
  change.replaced = true;
  return made;
}

void GraphModule::take_state(const std::map<std::string, torch::Tensor>& tensors,
                             const std::map<std::string, QuantizerPtr>& quantizers) {
  const graph::Uses uses(graph_);
  tensors_.assign(graph_.values.size(), {});
  by_name_ = quantizers;
  quantizers_.clear();
  const bool trains = is_training();
  for (const std::string& child : named_children().keys()) unregister_module(child);
  for (const ValueId id : graph_.state) {
    const graph::Value& value = graph_.value(id);
    const size_t dot = value.name.rfind('.');
    const bool at_root = dot == std::string::npos;
    torch::nn::Module& owner = module(at_root ? "" : value.name.substr(0, dot));
    const std::string name = at_root ? value.name : value.name.substr(dot + 1);
    if (const graph::Parameter* parameter = uses.parameter(id)) {
      const auto known = tensors.find(value.name);
      const bool is_new = known == tensors.end();
      const torch::Tensor tensor =
          is_new ? start_value(*parameter, value.type.dims) : known->second;
      tensors_[index(id)] = tensor;
      if (at_root && !is_new) continue;  // it stays where it is
      if (is_buffer(parameter->role))
        owner.register_buffer(name, tensor);
      else
        owner.register_parameter(name, tensor, tensor.requires_grad());
      continue;
    }
    QuantizerPtr& quantizer = by_name_[value.name];
    if (!quantizer) quantizer = make(std::get<graph::Quantize>(uses.producer(id)->operation));
    quantizers_.push_back(owner.register_module(name, quantizer).get());
  }
  train(trains);
  make_plan();
}

void GraphModule::make_plan() {
  plan_ = std::make_unique<const Plan>(
      graph_, [](const graph::Quantize& q) { return make(q)->is_fixed_function(); });
  batch_counters_.clear();
  for (const Node& node : graph_.nodes)
    if (const auto* norm = std::get_if<graph::BatchNorm>(&node.operation);
        norm && !norm->fixed_statistics && node.inputs.size() > 5)
      batch_counters_.push_back(tensors_[index(node.inputs[5])]);

  const graph::Graph& joined = plan_->joined;
  planned_quantizers_.assign(joined.values.size(), nullptr);
  norm_workspaces_.assign(joined.values.size(), nullptr);
  features_of_.clear();
  weight_quantizers_.clear();
  const graph::Uses uses(joined);
  for (const Node& node : joined.nodes) {
    const std::string& name = joined.name_of(node);
    if (std::holds_alternative<graph::Quantize>(node.operation))
      planned_quantizers_[index(node.output)] = by_name_.at(name).get();
    if (std::holds_alternative<graph::BatchNorm>(node.operation)) {
      auto& workspace = workspaces_[name];
      if (!workspace) workspace = std::make_shared<quant::Workspace>(kernels::kNormWorkspaceBytes);
      norm_workspaces_[index(node.output)] = workspace;
    }
    if (!precision_of(node.operation)) continue;
    const ValueId weight = node.inputs[1];
    features_of_.emplace(weight, node.inputs[0]);
    const Node* parts = uses.producer(weight);
    const bool joins = parts && std::holds_alternative<graph::Concat>(parts->operation);
    std::vector<quant::Quantizer*>& quantizers = weight_quantizers_[weight];
    quantizers.clear();
    for (const ValueId part : joins ? parts->inputs : std::vector{weight})
      quantizers.push_back(planned_quantizers_[index(part)]);
    if (std::ranges::any_of(quantizers, [](const auto* each) { return !each; })) quantizers.clear();
  }
}

torch::nn::Module& GraphModule::module(const std::string& name) {
  torch::nn::Module* module = this;
  for (size_t begin = 0; begin < name.size();) {
    const size_t end = std::min(name.find('.', begin), name.size());
    const std::string part = name.substr(begin, end - begin);
    if (const auto children = module->named_children(); children.contains(part))
      module = children[part].get();
    else
      module = module->register_module(part, std::make_shared<Group>()).get();
    begin = end + 1;
  }
  return *module;
}

torch::Tensor GraphModule::forward(const torch::Tensor& images, Arithmetic arithmetic) {
  count_forward();
  return run(images, arithmetic, nullptr);
}

torch::Tensor GraphModule::run(const torch::Tensor& images, Arithmetic arithmetic,
                               const Probe* probe) {
  return Run(*this, arithmetic, probe)(images);
}

void GraphModule::to(torch::Device device, torch::Dtype type, bool non_blocking) {
  std::vector<std::pair<torch::Tensor, torch::Tensor>> integers;  // with what they are to hold
  const auto note = [&](const torch::Tensor& tensor) {
    if (at::isIntegralType(tensor.scalar_type(), /*includeBool=*/true))
      integers.emplace_back(tensor, tensor.detach().to(device));
  };
  for (const torch::Tensor& parameter : parameters()) note(parameter);
  for (const torch::Tensor& buffer : buffers()) note(buffer);
  Module::to(device, type, non_blocking);
  for (auto& [tensor, value] : integers) tensor.set_data(value);
}

void GraphModule::use_channels_last() {
  const torch::NoGradGuard no_grad;
  const graph::Uses uses(graph_);
  for (const Node& node : graph_.nodes)
    if (std::holds_alternative<graph::Convolution>(node.operation)) {
      const graph::Parameter* weight = source_parameter(uses, node.inputs[1]);
      if (!weight) continue;
      torch::Tensor& tensor = tensors_[index(weight->value)];
      tensor.set_data(tensor.data().contiguous(torch::MemoryFormat::ChannelsLast));
    }
}

// All counters of a kind in one operation: on a GPU one launch instead of one for each layer.
void GraphModule::count_forward() {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> once, twice;
  const auto add = [](const std::vector<torch::Tensor>& counters, int64_t amount) {
    if (!counters.empty()) torch::_foreach_add_(counters, amount);
  };
  for (const quant::Quantizer* quantizer : quantizers_)
    if (is_training() || quantizer->counts_evaluation())
      (is_training() && quantizer->counts_training_twice() ? twice : once)
          .push_back(quantizer->iteration());
  add(once, 1);
  add(twice, 2);
  if (is_training()) add(batch_counters_, 1);
}

}  // namespace lowbit::exec
