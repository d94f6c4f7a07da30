// Makes a graph the way a paper's figure reads: from the input on, layer after layer.
//
//   Builder b("tiny");
//   ValueId x = b.input({3, 32, 32});
//   x = b.convolution("conv1", x, {.out = 16, .kernel = 3, .padding = 1});
//   x = b.node("relu", Relu{}, {x});
//   x = b.global_average("pool", x);
//   Graph graph = b.finish(b.linear("fc", x, {.out = 10}));
//
// Every call infers the shape of its result; what does not fit is a usage error that names the
// node. Names are relative to the open scopes.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lowbit/graph/graph.h"
#include "lowbit/graph/module_tree.h"

namespace lowbit::graph {

// Of Builder::convolution: input channels are those of x. The bias starts at 0.
struct ConvolutionSpec {
  int64_t out;  // channels
  Size2 kernel = 1;
  Size2 stride = 1;
  Padding padding = 0;
  Size2 dilation = 1;
  int64_t groups = 1;
  bool bias = false;
  Precision precision = Precision::free;
  double init_factor = 1;  // on the Kaiming-normal weight
};

// Of Builder::linear. Weight and bias start uniform within 1 / sqrt(input features).
struct LinearSpec {
  int64_t out;
  bool bias = true;
  Precision precision = Precision::free;
  double init_factor = 1;
};

// Of Builder::batch_norm and group_norm.
struct NormSpec {
  Role role = Role::trained;  // of weight and bias
  double weight = 1;          // at the start
};

class Builder {
 public:
  explicit Builder(std::string name);
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;

  // The input of the network, without the batch. Once, before anything else.
  ValueId input(const Dims& dims, std::string_view name = "images");

  // Until it is destroyed, names stand below this dotted one.
  class Scope {
   public:
    Scope(Builder& builder, std::string_view name);
    ~Scope() { builder_.prefix_.resize(length_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Builder& builder_;
    size_t length_;
  };
  [[nodiscard]] Scope scope(std::string_view name) { return {*this, name}; }

  // Checkpoints list the children of a scope in the order in which they are first used. Where they
  // have another order, it is said before: those named here come first, in this order.
  void children(const std::vector<std::string>& names);

  // A parameter of its own, "scope.name".
  ValueId parameter(std::string_view name, const Dims& dims, Role role, const Init& init);
  // Any operation.
  ValueId node(std::string_view name, const Operation& operation, std::vector<ValueId> inputs);

  // Layers with their parameters.
  ValueId convolution(std::string_view name, ValueId x, const ConvolutionSpec& spec);
  ValueId linear(std::string_view name, ValueId x, const LinearSpec& spec);
  ValueId batch_norm(std::string_view name, ValueId x, const BatchNorm& norm, const NormSpec& = {});
  ValueId group_norm(std::string_view name, ValueId x, const GroupNorm& norm, const NormSpec& = {});
  // One slope for all channels, 0.25 at the start.
  ValueId prelu(std::string_view name, ValueId x);

  // The parameters of such layers alone, for layers that checkpoints hold but that never run. In
  // the order of the node's inputs.
  std::vector<ValueId> batch_norm_parameters(std::string_view name, int64_t channels,
                                             const NormSpec& spec);
  std::vector<ValueId> group_norm_parameters(std::string_view name, int64_t channels,
                                             const NormSpec& spec);
  ValueId prelu_slope(std::string_view name, Role role = Role::trained);

  // Shorter forms of common nodes.
  ValueId add(std::string_view name, ValueId a, ValueId b);
  ValueId multiply(std::string_view name, ValueId a, ValueId b);
  ValueId concat(std::string_view name, std::vector<ValueId> parts);         // along the channels
  ValueId repeat_channels(std::string_view name, ValueId x, int64_t times);  // x itself if 1
  ValueId global_average(std::string_view name, ValueId x);                  // {C, H, W} -> {C}
  ValueId flatten(std::string_view name, ValueId x);                         // -> {C * H * W}

  const Dims& dims(ValueId x) const { return graph_.value(x).type.dims; }
  int64_t channels(ValueId x) const { return dims(x).at(0); }
  // `name`, or where a node of this scope has it already `name`_1, `name`_2, ...: for a layer that
  // is used several times.
  std::string unused_name(std::string_view name) const;

  // The finished graph, verified; the builder is empty then.
  Graph finish(ValueId output);

 private:
  std::string full_name(std::string_view name) const { return prefix_ + std::string(name); }
  // Appends a value under the full name; a usage error if another one has it.
  ValueId add_value(std::string name, Type type, std::optional<Role> role);

  Graph graph_;
  ModuleTree tree_;
  std::string prefix_;  // of the open scopes, with the dot
  std::set<std::string> names_;
  std::vector<std::optional<Role>> roles_;  // of parameters, by ValueId
};

}  // namespace lowbit::graph
