// The operations of a trace as steps of a program: a function for each kind. What they give is the
// number of a real value; nothing where the node is an operation of another kind.
#pragma once

#include <optional>

#include "lowbit/deploy/builder.h"

namespace lowbit::deploy {

// lower_quantizers.cpp
Codes quantized(Builder& to, const Node& quantizer);
int dequantized(Builder& to, const Node& quantizer);

// lower_convolutions.cpp: convolutions and linear layers, alone or with the norm behind them
std::optional<int> convolution(Builder& to, const Node& node);
std::optional<int> batch_norm(Builder& to, const Node& node);

// lower_ends.cpp: of the image's bytes what the network sees
int normalized_image(Builder& to);

// lower_elementwise.cpp
std::optional<int> arithmetic(Builder& to, const Node& node);
std::optional<int> activation(Builder& to, const Node& node);

// lower_layout.cpp: over pixels or channels, and numbers in other places
std::optional<int> pooled(Builder& to, const Node& node);
std::optional<int> mean(Builder& to, const Node& node);
std::optional<int> rearranged(Builder& to, const Node& node);

}  // namespace lowbit::deploy
