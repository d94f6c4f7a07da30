#include "lowbit/deploy/trace.h"

#include <ATen/record_function.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "lowbit/core/error.h"
#include "lowbit/exec/compute.h"
#include "lowbit/models/evaluation.h"
#include "lowbit/models/layer_statistics.h"

namespace lowbit::deploy {
namespace {

// Hands every outermost ATen operation of this thread to `see` as long as it lives. Operations that
// others are made of are theirs alone.
class Recorder {
 public:
  using See = std::function<void(Node)>;

  explicit Recorder(See see) : see_(std::move(see)) {
    active = this;
    handle_ = at::addThreadLocalCallback(at::RecordFunctionCallback(&begin, &end)
                                             .needsInputs(true)
                                             .needsOutputs(true)
                                             .scopes({at::RecordScope::FUNCTION}));
  }
  ~Recorder() {
    at::removeCallback(handle_);
    active = nullptr;
  }
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

 private:
  // The arguments, which are there only when an operation begins.
  struct Call : at::ObserverContext {
    std::vector<c10::IValue> inputs;
  };

  static std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& function) {
    auto call = std::make_unique<Call>();
    if (active->depth_++ == 0)
      call->inputs.assign(function.inputs().begin(), function.inputs().end());
    return call;
  }

  static void end(const at::RecordFunction& function, at::ObserverContext* context) {
    if (--active->depth_ > 0) return;
    const std::vector<c10::IValue>& outputs = function.outputs();
    if (outputs.empty() || !outputs[0].isTensor()) return;
    Node node;
    node.op = function.name();
    node.inputs = std::move(static_cast<Call*>(context)->inputs);
    node.output = outputs[0].toTensor();
    active->see_(std::move(node));
  }

  static thread_local Recorder* active;

  See see_;
  at::CallbackHandle handle_{};
  int depth_ = 0;
};

thread_local Recorder* Recorder::active = nullptr;

void for_each_tensor(const c10::IValue& value,
                     const std::function<void(const torch::Tensor&)>& see) {
  if (value.isTensor()) {
    if (value.toTensor().defined()) see(value.toTensor());
  } else if (value.isTensorList()) {
    for (const torch::Tensor& tensor : value.toTensorVector()) see(tensor);
  }
}

void require_finite(const std::string& layer, const torch::Tensor& y) {
  const at::DisableRecordFunctionGuard no_node_of_the_trace;
  if (y.isfinite().all().item<bool>()) return;
  throw core::failure("layer '{}': what it gives is not finite", layer);
}

// What is wrong with the levels; "" if nothing. Differences of numbers below the least normal one
// are not kept: everything that is computed of them would be another.
std::string fault_of(const std::vector<float>& levels) {
  const auto [low, high] = std::ranges::minmax(levels);
  const std::string range = fmt::format("its levels, {:.3g} to {:.3g},", low, high);
  for (const float level : levels) {
    if (!std::isfinite(level)) return range + " are not finite";
    if (level != 0 && !std::isnormal(level)) return range + " are too small for float32";
  }
  return "";
}

}  // namespace

quant::Lowering Trace::usable_lowering(const quant::Quantizer& quantizer,
                                       const torch::Tensor& x) const {
  const auto refuse = [&](const std::string& why) {
    throw core::failure("layer '{}': quantizer {} cannot be packed: {}", layer_of(quantizer),
                        models::tag_name(quantizer.shape().tag), why);
  };
  quant::Lowering lowering;
  try {
    lowering = quantizer.lower(x);
  } catch (const core::Error& error) {
    refuse(error.what());
  }
  for (const quant::StepFunction& group : lowering.groups)
    if (const std::string fault = fault_of(group.levels); !fault.empty()) refuse(fault);
  return lowering;
}

Trace::Trace(models::Network& network, const torch::Tensor& images) : input_(images) {
  const models::Evaluation evaluation(network);
  const Recorder recorder([this](Node node) { add(std::move(node)); });
  for (const models::QuantLayer& layer : network.quant_layers())
    for (const config::Tag tag : {config::Tag::fm, config::Tag::wt, config::Tag::ot})
      quantizer_layers_.emplace(layer.quantizer(tag), layer.name());
  network.probe(images, exec::Arithmetic::floats,
                [&](const graph::Node& step, const torch::Tensor& x, const torch::Tensor& y) {
                  const std::string& name = network.graph().name_of(step);
                  if (std::holds_alternative<graph::Quantize>(step.operation)) {
                    if (y.is_same(x)) return;
                    const quant::Quantizer* quantizer = network.quantizer(name);
                    const auto& op = std::get<graph::Quantize>(step.operation);
                    Node node{"quantize",
                              {x},
                              y,
                              quantizer,
                              usable_lowering(*quantizer, exec::quantizer_input(op, x))};
                    kept_.push_back(y);
                    output_ = y;
                    nodes_.insert_or_assign(key(y), std::move(node));
                  } else {
                    require_finite(name, y);
                    layers_.try_emplace(key(y), name);
                  }
                });
  if (!output_.defined()) throw core::failure("the network computes nothing");
  count_uses(output_);
}

void Trace::add(Node node) {
  bool same = false;
  for (const c10::IValue& input : node.inputs)
    for_each_tensor(input, [&](const torch::Tensor& tensor) {
      kept_.push_back(tensor);
      same |= tensor.is_same(node.output);
    });
  if (same || node.output.is_same(input_)) return;
  kept_.push_back(node.output);
  output_ = node.output;  // in the end that of the last operation: the logits
  nodes_.try_emplace(key(node.output), std::move(node));
}

void Trace::count_uses(const torch::Tensor& tensor) {
  if (++uses_[key(tensor)] > 1) return;
  const Node* node = producer(tensor);
  if (!node) return;
  for (const c10::IValue& input : node->inputs)
    for_each_tensor(input, [this](const torch::Tensor& each) { count_uses(each); });
  if (node->lowering.factor.defined()) count_uses(node->lowering.factor);
}

const Node* Trace::producer(const torch::Tensor& tensor) const {
  const auto found = nodes_.find(key(tensor));
  return found == nodes_.end() || tensor.is_same(input_) ? nullptr : &found->second;
}

int Trace::uses(const torch::Tensor& tensor) const {
  const auto found = uses_.find(key(tensor));
  return found == uses_.end() ? 0 : found->second;
}

std::string Trace::layer_of(const torch::Tensor& tensor) const {
  const auto found = layers_.find(key(tensor));
  return found == layers_.end() ? std::string() : found->second;
}

std::string Trace::layer_of(const quant::Quantizer& quantizer) const {
  const auto found = quantizer_layers_.find(&quantizer);
  return found == quantizer_layers_.end() ? std::string() : found->second;
}

}  // namespace lowbit::deploy
