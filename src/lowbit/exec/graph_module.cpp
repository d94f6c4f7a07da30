#include "lowbit/exec/graph_module.h"

#include <torch/nn/init.h>

#include "lowbit/exec/compute.h"
#include "lowbit/quant/factory.h"

namespace lowbit::exec {
namespace {

using graph::Node;
using graph::ValueId;

size_t index(ValueId id) {
  return static_cast<size_t>(id);
}

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
  if (init.factor == 0) return tensor.zero_();
  return init.factor == 1 ? tensor : tensor.mul_(init.factor);
}

}  // namespace

// One pass.
class GraphModule::Run {
 public:
  Run(GraphModule& module, Arithmetic arithmetic, const Probe* probe)
      : module_(module),
        graph_(module.graph_),
        arithmetic_(arithmetic),
        probe_(probe),
        values_(module.tensors_) {}

  torch::Tensor operator()(const torch::Tensor& images) {
    values_[index(graph_.input)] = images;
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      values_[index(node.output)] = compute(node);
      if (probe_) (*probe_)(graph_.name_of(node), values_[index(node.output)]);
      for (const ValueId id : module_.last_read_by_[i]) values_[index(id)] = torch::Tensor();
    }
    return values_[index(graph_.output)];
  }

 private:
  const torch::Tensor& value(ValueId id) const { return values_[index(id)]; }
  const quant::Quantizer* quantizer(ValueId id) const { return module_.by_value_[index(id)].get(); }

  torch::Tensor compute(const Node& node) {
    if (const auto* op = std::get_if<graph::Convolution>(&node.operation))
      return convolution(*op, node);
    if (std::holds_alternative<graph::Linear>(node.operation)) return linear(node);
    if (const auto* op = std::get_if<graph::Quantize>(&node.operation)) return quantize(*op, node);
    std::vector<torch::Tensor> tensors;
    for (const ValueId id : node.inputs) tensors.push_back(value(id));
    return exec::compute(node.operation, {.tensors = tensors,
                                          .batched = graph_.value(node.output).type.batched,
                                          .training = module_.is_training()});
  }

  // Quantizers see features as maps, those of a linear layer as maps of one pixel, and a weight in
  // the shape that their groups are defined by.
  torch::Tensor quantize(const graph::Quantize& op, const Node& node) {
    quant::Quantizer& method = *module_.by_value_[index(node.output)];
    const torch::Tensor& x = value(node.inputs[0]);
    if (op.tag == config::Tag::wt) {
      const torch::ScalarType type = weight_type(node);
      return x.dim() == 4 ? method.forward(x, type)
                          : method.forward(x.view(op.shape), type).view_as(x);
    }
    if (x.dim() != 2) return method.forward(x, x.scalar_type());
    return method.forward(x.unflatten(1, {-1, 1, 1}), x.scalar_type()).flatten(1);
  }

  // A weight is quantized to the type of the features that it meets.
  torch::ScalarType weight_type(const Node& quantizer) const {
    const ValueId features = module_.features_of_.at(quantizer.output);
    const torch::Tensor& x = value(features);
    return x.defined() ? x.scalar_type() : value(quantizer.inputs[0]).scalar_type();
  }

  torch::Tensor bias(const Node& node, torch::ScalarType type) const {
    return node.inputs.size() > 2 ? value(node.inputs[2]).to(type) : torch::Tensor();
  }

  struct Numbers {
    WholeNumbers x, weight;
  };
  // Input and weight of a layer; nothing where they are not both whole numbers.
  std::optional<Numbers> numbers(const Node& layer) const {
    if (arithmetic_ != Arithmetic::whole_numbers) return std::nullopt;
    const quant::Quantizer *fm = quantizer(layer.inputs[0]), *wt = quantizer(layer.inputs[1]);
    if (!fm || fm->shape().tag != config::Tag::fm || !wt) return std::nullopt;
    auto x = whole_numbers(*fm, value(layer.inputs[0]));
    if (!x) return std::nullopt;
    const torch::Tensor& quantized = value(layer.inputs[1]);
    auto weight =
        whole_numbers(*wt, quantized.dim() == 4 ? quantized : quantized.view(wt->shape().shape));
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
  const graph::Graph& graph_;
  const Arithmetic arithmetic_;
  const Probe* probe_;
  std::vector<torch::Tensor> values_;
};

GraphModule::GraphModule(graph::Graph graph)
    : graph_(std::move(graph)),
      tensors_(graph_.values.size()),
      by_value_(graph_.values.size()),
      last_read_by_(graph_.nodes.size()) {
  register_state();
  std::vector<size_t> last(graph_.values.size(), SIZE_MAX);
  for (size_t i = 0; i < graph_.nodes.size(); ++i) {
    const Node& node = graph_.nodes[i];
    for (const ValueId id : node.inputs) last[index(id)] = i;
    const bool is_layer = precision_of(node.operation).has_value();
    if (is_layer) features_of_.emplace(node.inputs[1], node.inputs[0]);
    if (const auto* norm = std::get_if<graph::BatchNorm>(&node.operation);
        norm && !norm->fixed_statistics && node.inputs.size() > 5)
      batch_counters_.push_back(tensors_[index(node.inputs[5])]);
  }
  for (size_t id = 0; id < last.size(); ++id)
    if (last[id] != SIZE_MAX && !tensors_[id].defined() && id != index(graph_.output))
      last_read_by_[last[id]].push_back(static_cast<ValueId>(id));
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

void GraphModule::register_parameter_of(const graph::Parameter& parameter) {
  const graph::Value& value = graph_.value(parameter.value);
  const size_t dot = value.name.rfind('.');
  const bool at_root = dot == std::string::npos;
  torch::nn::Module& owner = module(at_root ? "" : value.name.substr(0, dot));
  const std::string name = at_root ? value.name : value.name.substr(dot + 1);
  const torch::Tensor start = start_value(parameter, value.type.dims);
  tensors_[index(parameter.value)] =
      is_buffer(parameter.role)
          ? owner.register_buffer(name, start)
          : owner.register_parameter(name, start, parameter.role == graph::Role::trained);
}

void GraphModule::register_state() {
  const graph::Uses uses(graph_);
  for (const ValueId id : graph_.state) {
    if (const graph::Parameter* parameter = uses.parameter(id)) {
      register_parameter_of(*parameter);
      continue;
    }
    const auto& q = std::get<graph::Quantize>(uses.producer(id)->operation);
    const std::string& name = graph_.value(id).name;
    const size_t dot = name.rfind('.');
    const bool at_root = dot == std::string::npos;
    by_value_[index(id)] =
        module(at_root ? "" : name.substr(0, dot))
            .register_module(
                at_root ? name : name.substr(dot + 1),
                quant::make_quantizer({q.tag, q.shape, q.batch_size, q.input_size}, q.options));
    quantizers_.push_back(by_value_[index(id)].get());
  }
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
