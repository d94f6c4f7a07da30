// The operations of a graph as steps of a program, those of a kind in a file. They return the
// number of a real value.
#pragma once

#include "lowbit/deploy/builder.h"

namespace lowbit::deploy {

// lower_convolutions.cpp: with the factor and the shift that follow
int lowered(Builder& to, const Node& node, const graph::Convolution& op);
int lowered(Builder& to, const Node& node, const graph::Linear& op);

// lower_elementwise.cpp
int lowered(Builder& to, const Node& node, const graph::Binary& op);
int lowered(Builder& to, const Node& node, const graph::Relu& op);
int lowered(Builder& to, const Node& node, const graph::Clip& op);
int lowered(Builder& to, const Node& node, const graph::LeakyRelu& op);
int lowered(Builder& to, const Node& node, const graph::PRelu& op);
int lowered(Builder& to, const Node& node, const graph::Widen& op);

// lower_layout.cpp: over pixels or channels, and numbers in other places
int lowered(Builder& to, const Node& node, const graph::Pool& op);
int lowered(Builder& to, const Node& node, const graph::Mean& op);
int lowered(Builder& to, const Node& node, const graph::Pad& op);
int lowered(Builder& to, const Node& node, const graph::Concat& op);
int lowered(Builder& to, const Node& node, const graph::Slice& op);
int lowered(Builder& to, const Node& node, const graph::Reshape& op);
int lowered(Builder& to, const Node& node, const graph::SpaceToDepth& op);
int lowered(Builder& to, const Node& node, const graph::DepthToSpace& op);

// The mean of a value of these dims over all pixels, over channels or over both; its number.
int mean_over(Builder& to, int input, bool pixels, bool channels, graph::Dims dims,
              const std::string& name);

// All others.
template <class Operation>
int lowered(Builder& to, const Node& node, const Operation&) {
  to.refuse(node, "no step of a program does this");
}

// lower_quantizers.cpp
Codes quantized(Builder& to, const Node& quantizer);
int dequantized(Builder& to, ValueId quantized);

// lower_full_precision.cpp: of the image's bytes what the network sees
int normalized_image(Builder& to);

}  // namespace lowbit::deploy
