// What a network computes, as the list of tensor operations that one evaluation pass performs. So
// deployment knows no model: whatever a forward pass is written as, it is seen here.
#pragma once

#include <torch/types.h>

#include <string>
#include <unordered_map>
#include <vector>

#include "lowbit/models/network.h"
#include "lowbit/quant/lowering.h"

namespace lowbit::deploy {

// An operation: one of ATen's ("aten::relu", its arguments as in ATen's schema), or a quantizer.
struct Node {
  std::string op;
  std::vector<c10::IValue> inputs;
  torch::Tensor output;
  const quant::Quantizer* quantizer = nullptr;  // op "quantize": inputs[0] is what it was given
  quant::Lowering lowering;                     // of the quantizer for that input
};

class Trace {
 public:
  // One pass of `network` in evaluation mode over images [B, 3, H, W], float32 on the CPU, as they
  // come out of the normalization. The network keeps its mode. An Error (failure) names the first
  // layer, in the order of computation, whose quantizer has levels that are not finite or too small
  // for float32, or whose output is not finite.
  Trace(models::Network& network, const torch::Tensor& images);

  const torch::Tensor& input() const { return input_; }
  const torch::Tensor& output() const { return output_; }

  // What gave the tensor; null: it is input(), or a parameter or another constant.
  const Node* producer(const torch::Tensor& tensor) const;
  // How many operations that the output depends on use it.
  int uses(const torch::Tensor& tensor) const;
  // The dotted name of the innermost layer that returned it, "" if none did.
  std::string layer_of(const torch::Tensor& tensor) const;
  // That of the layer whose quantizer it is.
  std::string layer_of(const quant::Quantizer& quantizer) const;

 private:
  using Key = const c10::TensorImpl*;
  static Key key(const torch::Tensor& tensor) { return tensor.unsafeGetTensorImpl(); }

  void add(Node node);
  quant::Lowering usable_lowering(const quant::Quantizer& quantizer, const torch::Tensor& x) const;
  void count_uses(const torch::Tensor& tensor);

  torch::Tensor input_, output_;
  std::vector<torch::Tensor> kept_;  // so that no two tensors of the pass have one address
  std::unordered_map<Key, Node> nodes_;
  std::unordered_map<Key, int> uses_;
  std::unordered_map<Key, std::string> layers_;
  std::unordered_map<const quant::Quantizer*, std::string> quantizer_layers_;
};

}  // namespace lowbit::deploy
