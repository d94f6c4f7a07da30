// Shape rules of operations that slide a window over an image or move its pixels.
#include "lowbit/graph/dims_text.h"
#include "lowbit/graph/shape_rules.h"

namespace lowbit::graph {
namespace {

void check_image(const Dims& x) {
  if (x.size() != 3)
    throw core::usage_error("its input is {}, not an image [C, H, W]", dims_text(x));
}

void check_positive(const char* what, Size2 size) {
  check_range(what, size.height, 1);
  check_range(what, size.width, 1);
}

void check_padding(const Padding& padding) {
  for (const int64_t side : {padding.top, padding.left, padding.bottom, padding.right})
    check_range("padding", side, 0);
}

// A window along one axis, all of its numbers within their bounds.
struct Window {
  int64_t kernel, stride, dilation, before, after;
  bool ceil = false;

  int64_t extent() const { return dilation * (kernel - 1) + 1; }
};

// The number of its places on `size` pixels.
int64_t places(const char* axis, int64_t size, const Window& window) {
  const int64_t padded = size + window.before + window.after;
  const int64_t rest = padded - window.extent();
  if (rest < 0)
    throw core::usage_error("its window is {} pixels {}, its padded input {}", window.extent(),
                            axis, padded);
  int64_t count = rest / window.stride + 1;
  // PyTorch's rule: an incomplete window counts if it begins on the image or before it.
  if (window.ceil && rest % window.stride != 0 && count * window.stride < size + window.before)
    ++count;
  return count;
}

Window vertical(Size2 kernel, Size2 stride, Size2 dilation, const Padding& padding, bool ceil) {
  return {kernel.height, stride.height, dilation.height, padding.top, padding.bottom, ceil};
}

Window horizontal(Size2 kernel, Size2 stride, Size2 dilation, const Padding& padding, bool ceil) {
  return {kernel.width, stride.width, dilation.width, padding.left, padding.right, ceil};
}

}  // namespace

Dims shape_of(const Convolution& op, InputDims in) {
  const Dims &x = in[0], &weight = in[1];
  check_image(x);
  if (weight.size() != 4)
    throw core::usage_error("its weight is {}, not [O, I, kh, kw]", dims_text(weight));
  check_positive("stride", op.stride);
  check_positive("dilation", op.dilation);
  check_padding(op.padding);
  check_range("groups", op.groups, 1);
  if (weight[0] % op.groups != 0)
    throw core::usage_error("{} groups do not divide its {} output channels", op.groups, weight[0]);
  if (x[0] % op.groups != 0)
    throw core::usage_error("{} groups do not divide its {} input channels", op.groups, x[0]);
  if (weight[1] != x[0] / op.groups)
    throw core::usage_error("its weight {} takes {} channels, its input {} has {}",
                            dims_text(weight), weight[1] * op.groups, dims_text(x), x[0]);
  if (in.size() > 2) check_equal("bias", in[2], {weight[0]});
  const Size2 kernel(weight[2], weight[3]);
  return {weight[0],
          places("high", x[1], vertical(kernel, op.stride, op.dilation, op.padding, false)),
          places("wide", x[2], horizontal(kernel, op.stride, op.dilation, op.padding, false))};
}

Dims shape_of(const Pool& op, InputDims in) {
  const Dims& x = in[0];
  check_image(x);
  check_positive("kernel", op.kernel);
  check_positive("stride", op.stride);
  check_positive("dilation", op.dilation);
  check_padding(op.padding);
  if (op.kind == Pool::Kind::average && op.dilation != Size2(1))
    throw core::usage_error("an average pooling has no dilation");
  const Window high = vertical(op.kernel, op.stride, op.dilation, op.padding, op.ceil);
  const Window wide = horizontal(op.kernel, op.stride, op.dilation, op.padding, op.ceil);
  for (const Window& window : {high, wide})
    if (window.before >= window.extent() || window.after >= window.extent())
      throw core::usage_error("a padding of {} pixels is not smaller than its window of {}",
                              std::max(window.before, window.after), window.extent());
  return {x[0], places("high", x[1], high), places("wide", x[2], wide)};
}

Dims shape_of(const SpaceToDepth& op, InputDims in) {
  const Dims& x = in[0];
  check_image(x);
  check_range("cell", op.cell, 1);
  if (x[1] % op.cell != 0 || x[2] % op.cell != 0)
    throw core::usage_error("features of {} x {} pixels cannot be cut into cells of {} x {} pixels",
                            x[1], x[2], op.cell, op.cell);
  return {x[0] * op.cell * op.cell, x[1] / op.cell, x[2] / op.cell};
}

Dims shape_of(const DepthToSpace& op, InputDims in) {
  const Dims& x = in[0];
  check_image(x);
  check_range("cell", op.cell, 1);
  if (op.cell > x[0] || x[0] % (op.cell * op.cell) != 0)
    throw core::usage_error("{} channels cannot become cells of {} x {} pixels", x[0], op.cell,
                            op.cell);
  return {x[0] / (op.cell * op.cell), x[1] * op.cell, x[2] * op.cell};
}

Dims shape_of(const Pad& op, InputDims in) {
  const Dims& x = in[0];
  check_image(x);
  check_padding(op.padding);
  return {x[0], op.padding.top + x[1] + op.padding.bottom,
          op.padding.left + x[2] + op.padding.right};
}

}  // namespace lowbit::graph
