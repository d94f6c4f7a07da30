// A convolution of a graph, and the ways to say it in a program.
#pragma once

#include <optional>
#include <vector>

#include "lowbit/deploy/builder.h"

namespace lowbit::deploy {

// factor * y + shift behind y: one number for all channels, or one for each.
struct Fold {
  std::vector<float> factor, shift;
};

// A convolution or a linear layer, as both are one to the program.
struct ConvCall {
  ValueId input{}, output{};
  torch::Tensor bias;  // undefined: none
  // [O, I / groups, k, k]; what is multiplied with: the quantizer's result, or `weight`.
  torch::Tensor weight, quantized_weight;
  // The quantizers that gave input and quantized_weight; null: none.
  const quant::Lowering *input_quantizer = nullptr, *weight_quantizer = nullptr;
  int64_t stride = 1, padding = 0, groups = 1;
  std::optional<Fold> fold;

  int64_t out() const { return weight.size(0); }
  int64_t kernel() const { return weight.size(2); }
  // The factor of the channel.
  double folded(size_t channel) const;
  // The bias with `more` added to it, folded. Empty: nothing is added.
  std::vector<float> bias_with(const std::vector<double>& more = {}) const;
};

// As a step of its own: a real value that looks like `like`.
int scaled_and_shifted(Builder& to, int value, const Fold& fold, ValueId like);

// [O, I, k, k] in the order of the program: [O][row][column][I].
torch::Tensor in_program_order(const torch::Tensor& weight);

// Of codes and quantized weights.
int code_conv(Builder& to, const ConvCall& call);
// Trained in full precision: with inputs of 8 bits and weights of as many as LowerOptions::ends
// says, or as trained.
int byte_conv(Builder& to, const ConvCall& call);
int real_conv(Builder& to, const ConvCall& call);

}  // namespace lowbit::deploy
