#include <algorithm>
#include <vector>

#include "lowbit/deploy/operations.h"

namespace lowbit::deploy {
namespace {

// [H, W, C] as one vector in the network's order, channels first: cells of the whole image.
std::optional<int> flattened_pixels(Builder& to, const Node& node) {
  const auto [height, width, channels] = shape_of(node.inputs[0].toTensor());
  if (height != width) return std::nullopt;
  packed::RearrangeT rearrange;
  rearrange.layout = packed::Layout::space_to_depth;
  rearrange.cell = height;
  rearrange.input = to.real(node.inputs[0].toTensor());
  return to.emit(std::move(rearrange), node.output);
}

int padded(Builder& to, const Node& node) {
  const std::vector<int64_t> sides = node.inputs[1].toIntVector();
  const bool even = sides.size() == 4 &&
                    std::ranges::all_of(sides, [&](int64_t side) { return side == sides[0]; });
  if (!even || number(node, 2) != 0) to.refuse(node, "only equal sides of zeros");
  packed::RearrangeT rearrange;
  rearrange.layout = packed::Layout::pad;
  rearrange.cell = static_cast<int>(sides[0]);
  rearrange.input = to.real(node.inputs[0].toTensor());
  return to.emit(std::move(rearrange), node.output);
}

}  // namespace

std::optional<int> pooled(Builder& to, const Node& node) {
  if (node.op != "aten::avg_pool2d" && node.op != "aten::max_pool2d") return std::nullopt;
  const bool average = node.op == "aten::avg_pool2d";
  packed::PoolT pool;
  pool.input = to.real(node.inputs[0].toTensor());
  pool.pooling = average ? packed::Pooling::average : packed::Pooling::maximum;
  const int kernel = static_cast<int>(first(node.inputs[1]));
  const std::vector<int64_t> strides = node.inputs[2].toIntVector();
  pool.window = window(kernel, strides.empty() ? kernel : static_cast<int>(strides[0]),
                       static_cast<int>(first(node.inputs[3])));
  pool.ceil = node.inputs[average ? 4 : 5].toBool();
  return to.emit(std::move(pool), node.output);
}

std::optional<int> mean(Builder& to, const Node& node) {
  if (node.op != "aten::mean") return std::nullopt;
  const torch::Tensor x = node.inputs[0].toTensor();
  packed::MeanT mean;
  mean.input = to.real(x);
  for (const int64_t dim : node.inputs[1].toIntVector()) {
    const int64_t at = dim < 0 ? dim + x.dim() : dim;
    if (at == 0) to.refuse(node, "a mean over the batch");
    (at == 1 ? mean.over_channels : mean.over_pixels) = true;
  }
  return to.emit(std::move(mean), node.output);
}

std::optional<int> rearranged(Builder& to, const Node& node) {
  const auto& in = node.inputs;
  if (node.op == "aten::constant_pad_nd") return padded(to, node);
  if (node.op == "aten::cat") {
    packed::ConcatenateT concatenate;
    for (const torch::Tensor& tensor : in[0].toTensorVector())
      concatenate.inputs.push_back(to.real(tensor));
    return to.emit(std::move(concatenate), node.output);
  }
  packed::RearrangeT rearrange;
  if (node.op == "lowbit::space_to_depth" || node.op == "lowbit::depth_to_space") {
    rearrange.layout = node.op == "lowbit::space_to_depth" ? packed::Layout::space_to_depth
                                                           : packed::Layout::depth_to_space;
    rearrange.cell = static_cast<int>(in[1].toInt());
  } else if (node.op == "aten::flatten" || node.op == "aten::view" || node.op == "aten::reshape" ||
             node.op == "aten::squeeze") {
    // Of one pixel alone both are the same; the order of several would be channels first.
    rearrange.layout = packed::Layout::flatten;
    const auto [height, width, channels] = shape_of(in[0].toTensor());
    if (height * width != 1 && channels != node.output.size(1)) return flattened_pixels(to, node);
    if (height * width != 1) return std::nullopt;
  } else {
    return std::nullopt;
  }
  rearrange.input = to.real(in[0].toTensor());
  return to.emit(std::move(rearrange), node.output);
}

}  // namespace lowbit::deploy
