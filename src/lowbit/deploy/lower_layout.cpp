#include <algorithm>

#include "lowbit/deploy/operations.h"

namespace lowbit::deploy {
namespace {

int rearranged(Builder& to, const Node& node, packed::Layout layout, int64_t cell = 0,
               int64_t first = 0) {
  packed::RearrangeT rearrange;
  rearrange.input = to.real(node.inputs[0]);
  rearrange.layout = layout;
  rearrange.cell = static_cast<int>(cell);
  rearrange.first = static_cast<int>(first);
  return to.emit(std::move(rearrange), node.output);
}

}  // namespace

int lowered(Builder& to, const Node& node, const graph::Pool& op) {
  using graph::Padding;
  using graph::Size2;
  const bool average = op.kind == graph::Pool::Kind::average;
  if (op.kernel != Size2(op.kernel.height) || op.stride != Size2(op.stride.height))
    to.refuse(node, "its windows or strides are not square");
  if (op.padding != Padding(op.padding.top)) to.refuse(node, "sides padded unequally");
  if (op.dilation != Size2(1)) to.refuse(node, "a dilation");
  if (average && (op.ceil || (!op.count_padding && op.padding != Padding(0))))
    to.refuse(node, "means over windows that are not whole");
  packed::PoolT pool;
  pool.input = to.real(node.inputs[0]);
  pool.pooling = average ? packed::Pooling::average : packed::Pooling::maximum;
  pool.window = window(op.kernel.height, op.stride.height, op.padding.top);
  pool.ceil = op.ceil;
  return to.emit(std::move(pool), node.output);
}

int lowered(Builder& to, const Node& node, const graph::Mean& op) {
  const graph::Dims& dims = to.dims(node.inputs[0]);
  const auto is_over = [&](int64_t axis) { return std::ranges::count(op.axes, axis) > 0; };
  const bool pixels = is_over(1) || is_over(2);
  const bool all = dims.size() == 3 && (is_over(1) || dims[1] == 1) && (is_over(2) || dims[2] == 1);
  if (pixels && !all) to.refuse(node, "a mean over rows or columns alone");
  return mean_over(to, to.real(node.inputs[0]), pixels, is_over(0), dims, to.graph().name_of(node));
}

// One after the other: the runtime has a fast kernel for pixels alone.
int mean_over(Builder& to, int input, bool pixels, bool channels, graph::Dims dims,
              const std::string& name) {
  const auto emit = [&](bool over_pixels) {
    packed::MeanT mean;
    mean.input = input;
    (over_pixels ? mean.over_pixels : mean.over_channels) = true;
    input = to.emit(std::move(mean), dims, name);
  };
  if (pixels) {
    dims = {dims[0]};
    emit(/*over_pixels=*/true);
  }
  if (channels) {
    dims[0] = 1;
    emit(/*over_pixels=*/false);
  }
  return input;
}

int lowered(Builder& to, const Node& node, const graph::Pad& op) {
  if (op.value != 0 || op.padding != graph::Padding(op.padding.top))
    to.refuse(node, "only equal sides of zeros");
  return rearranged(to, node, packed::Layout::pad, op.padding.top);
}

int lowered(Builder& to, const Node& node, const graph::Concat& op) {
  if (op.axis != 0) to.refuse(node, "only channels can be joined");
  packed::ConcatenateT concatenate;
  for (const ValueId input : node.inputs) concatenate.inputs.push_back(to.real(input));
  return to.emit(std::move(concatenate), node.output);
}

int lowered(Builder& to, const Node& node, const graph::Slice& op) {
  if (op.axis != 0 || op.step != 1) to.refuse(node, "only adjacent channels can be cut out");
  return rearranged(to, node, packed::Layout::slice, /*cell=*/0, op.begin);
}

int lowered(Builder& to, const Node& node, const graph::Reshape&) {
  const auto [height, width, channels] = shape_of(to.dims(node.inputs[0]));
  const auto [new_height, new_width, new_channels] = shape_of(to.dims(node.output));
  const bool to_vector = new_height * new_width == 1;
  // Of one pixel alone both orders of numbers are the same.
  if (to_vector && height * width == 1) return rearranged(to, node, packed::Layout::flatten);
  // In the network's order, channels first: one cell of the whole image.
  if (to_vector && height == width)
    return rearranged(to, node, packed::Layout::space_to_depth, height);
  to.refuse(node, "only square maps can become vectors, and no others");
}

int lowered(Builder& to, const Node& node, const graph::SpaceToDepth& op) {
  return rearranged(to, node, packed::Layout::space_to_depth, op.cell);
}

int lowered(Builder& to, const Node& node, const graph::DepthToSpace& op) {
  return rearranged(to, node, packed::Layout::depth_to_space, op.cell);
}

}  // namespace lowbit::deploy
