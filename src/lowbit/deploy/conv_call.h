// A convolution of a trace, and the ways to say it in a program.
#pragma once

#include <optional>
#include <vector>

#include "lowbit/deploy/builder.h"

namespace lowbit::deploy {

// factor * y + shift of a norm, per channel: the float32 numbers that LibTorch makes of a
// BatchNorm's parameters.
struct Fold {
  std::vector<double> factor, shift;
};

// A convolution or a linear layer, as both are one to the program.
struct ConvCall {
  torch::Tensor input, bias;  // bias undefined: none
  // [O, I / groups, k, k]; what the pass used: the quantizer's result, or `weight`.
  torch::Tensor weight, quantized_weight;
  // The quantizers that gave input and quantized_weight; null: none.
  const Node *input_quantizer = nullptr, *weight_quantizer = nullptr;
  int stride = 1, padding = 0, groups = 1;
  std::optional<Fold> fold;
  torch::Tensor output;  // before the norm: its layer names what the program computes

  int out() const { return static_cast<int>(weight.size(0)); }
  int kernel() const { return static_cast<int>(weight.size(2)); }
  // What the norm multiplies the channel with.
  double folded(size_t channel) const { return fold ? fold->factor[channel] : 1; }
  // With the norm's shift; `more` is added before the norm. Empty: nothing is added.
  std::vector<float> bias_with(const std::vector<double>& more = {}) const;
};

// As a step of its own: a real value that looks like `like`.
int scaled_and_shifted(Builder& to, int value, const Fold& fold, const torch::Tensor& like);

// [O, I, k, k] in the order of the program: [O][row][column][I].
torch::Tensor in_program_order(const torch::Tensor& weight);

// Of codes and quantized weights.
int code_conv(Builder& to, const ConvCall& call);
// Trained in full precision: with inputs of 8 bits and weights of as many as LowerOptions::ends
// says, or as trained.
int byte_conv(Builder& to, const ConvCall& call);
int real_conv(Builder& to, const ConvCall& call);

}  // namespace lowbit::deploy
