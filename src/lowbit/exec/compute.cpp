#include "lowbit/exec/compute.h"

#include <limits>

#include "lowbit/exec/branches.h"
#include "lowbit/exec/norms.h"
#include "lowbit/graph/shape_rules.h"
#include "lowbit/nn/max_pool.h"
#include "lowbit/nn/small_conv.h"
#include "lowbit/nn/space_to_depth.h"

namespace lowbit::exec {
namespace {

using graph::Padding;
using graph::Size2;

std::vector<int64_t> both(Size2 size) {
  return {size.height, size.width};
}

bool is_symmetric(const Padding& p) {
  return p.top == p.bottom && p.left == p.right;
}

torch::Tensor padded(const torch::Tensor& x, const Padding& p, double value) {
  return torch::constant_pad_nd(x, {p.left, p.right, p.top, p.bottom}, value);
}

// Only what operations that are not for images need: axes behind the batch.
class Computer {
 public:
  explicit Computer(const Inputs& in) : in_(in) {}

  torch::Tensor operator()(const graph::BatchNorm& op) const {
    return normalize(op, in_.tensors, in_.training);
  }
  torch::Tensor operator()(const graph::GroupNorm& op) const { return normalize(op, in_.tensors); }
  torch::Tensor operator()(const graph::InstanceNorm& op) const { return normalize(op, x()); }

  torch::Tensor operator()(const graph::Relu&) const { return torch::relu(x()); }
  torch::Tensor operator()(const graph::Clip& op) const {
    return torch::hardtanh(x(), op.low, op.high);
  }
  torch::Tensor operator()(const graph::LeakyRelu& op) const {
    return torch::leaky_relu(x(), op.slope);
  }
  torch::Tensor operator()(const graph::PRelu&) const {
    return torch::prelu(x(), in_.tensors[1].to(x().scalar_type()));
  }

  // A parameter takes the type of the features.
  torch::Tensor operator()(const graph::Binary& op) const {
    torch::Tensor a = in_.tensors[0], b = in_.tensors[1];
    if (in_.batched && a.dim() > b.dim()) b = b.to(a.scalar_type());
    if (in_.batched && b.dim() > a.dim()) a = a.to(b.scalar_type());
    switch (op.kind) {
      case graph::Arithmetic::add:
        return a + b;
      case graph::Arithmetic::subtract:
        return a - b;
      case graph::Arithmetic::multiply:
        return a * b;
      case graph::Arithmetic::divide:
        break;
    }
    return a / b;
  }

  torch::Tensor operator()(const graph::Concat& op) const {
    return torch::cat(std::vector(in_.tensors.begin(), in_.tensors.end()), axis(op.axis));
  }
  torch::Tensor operator()(const graph::Slice& op) const {
    return x().slice(axis(op.axis), op.begin, op.end, op.step);
  }

  torch::Tensor operator()(const graph::Pool& op) const {
    const bool max = op.kind == graph::Pool::Kind::max;
    const bool half = 2 * op.padding.top <= (op.kernel.height - 1) * op.dilation.height + 1 &&
                      2 * op.padding.left <= (op.kernel.width - 1) * op.dilation.width + 1;
    if (is_symmetric(op.padding) && half)
      return pool(op, x(), {op.padding.top, op.padding.left}, op.ceil, op.count_padding);
    // LibTorch's pools do not pad so: the padding is an operation of its own. What they would count
    // behind it is cut off.
    const torch::Tensor wide =
        padded(x(), op.padding, max ? -std::numeric_limits<double>::infinity() : 0);
    torch::Tensor y = pool(op, wide, {0, 0}, op.ceil, /*count_padding=*/true);
    if (!max && !op.count_padding) {
      const torch::Tensor inside = padded(torch::ones_like(x()), op.padding, 0);
      y = y / pool(op, inside, {0, 0}, op.ceil, /*count_padding=*/true);
    }
    const graph::Dims dims = shape_of(op, std::vector<graph::Dims>{x().sizes().slice(1).vec()});
    return y.narrow(2, 0, dims[1]).narrow(3, 0, dims[2]);
  }

  torch::Tensor operator()(const graph::Mean& op) const {
    std::vector<int64_t> axes;
    for (const int64_t each : op.axes) axes.push_back(axis(each));
    return x().mean(axes, op.keep);
  }
  torch::Tensor operator()(const graph::Reshape& op) const {
    std::vector<int64_t> sizes = op.dims;
    if (in_.batched) sizes.insert(sizes.begin(), x().size(0));
    return x().reshape(sizes);
  }
  torch::Tensor operator()(const graph::Transpose& op) const {
    std::vector<int64_t> axes;
    if (in_.batched) axes.push_back(0);
    for (const int64_t each : op.permutation) axes.push_back(axis(each));
    return x().permute(axes);
  }
  torch::Tensor operator()(const graph::SpaceToDepth& op) const {
    return nn::space_to_depth(x(), op.cell);
  }
  torch::Tensor operator()(const graph::DepthToSpace& op) const {
    return nn::depth_to_space(x(), op.cell);
  }
  torch::Tensor operator()(const graph::Pad& op) const { return padded(x(), op.padding, op.value); }
  torch::Tensor operator()(const graph::ScaledSum&) const {
    return scaled_sum(x(), in_.tensors[1]);
  }
  torch::Tensor operator()(const graph::Widen&) const {
    return x().to(torch::promote_types(x().scalar_type(), torch::kFloat));
  }

  // GraphModule has the state that these need.
  torch::Tensor operator()(const graph::Convolution&) const { return {}; }
  torch::Tensor operator()(const graph::Linear&) const { return {}; }
  torch::Tensor operator()(const graph::Quantize&) const { return {}; }

 private:
  const torch::Tensor& x() const { return in_.tensors[0]; }
  int64_t axis(int64_t index) const { return in_.batched ? index + 1 : index; }

  static torch::Tensor pool(const graph::Pool& op, const torch::Tensor& x,
                            const std::vector<int64_t>& padding, bool ceil, bool count_padding) {
    const auto is_square = [](Size2 size) { return size.height == size.width; };
    if (op.kind == graph::Pool::Kind::max && is_square(op.kernel) && is_square(op.stride) &&
        padding[0] == padding[1] && op.dilation == Size2(1))
      return nn::max_pool(x, {op.kernel.height, op.stride.height, padding[0], ceil});
    if (op.kind == graph::Pool::Kind::max)
      return torch::max_pool2d(x, both(op.kernel), both(op.stride), padding, both(op.dilation),
                               ceil);
    return torch::avg_pool2d(x, both(op.kernel), both(op.stride), padding, ceil, count_padding);
  }

  const Inputs& in_;
};

}  // namespace

torch::Tensor convolve(const graph::Convolution& op, const torch::Tensor& x,
                       const torch::Tensor& weight, const torch::Tensor& bias) {
  const bool symmetric = is_symmetric(op.padding);
  const torch::Tensor input = symmetric ? x : padded(x, op.padding, 0);
  const Size2 padding = symmetric ? Size2(op.padding.top, op.padding.left) : Size2(0);
  const auto conv = [&](const torch::Tensor& pixels, Size2 stride) {
    const nn::ConvSteps steps{both(stride), both(padding), both(op.dilation), op.groups};
    if (const auto y = nn::small_conv(pixels, weight, bias, steps)) return *y;
    return torch::conv2d(pixels, weight, bias, both(stride), both(padding), both(op.dilation),
                         op.groups);
  };
  // The stride of a 1x1 convolution only leaves pixels out. Left to oneDNN it ends in a loop
  // without end: the gradient of the weights, channels last, of 3 to 5 input channels (oneDNN of
  // LibTorch 2.11, AVX2).
  const bool point = weight.size(2) == 1 && weight.size(3) == 1 && padding == Size2(0);
  if (!x.is_cpu() || !point || op.stride == Size2(1)) return conv(input, op.stride);
  constexpr auto kAll = torch::indexing::None;
  const torch::indexing::Slice all, rows(kAll, kAll, op.stride.height),
      columns(kAll, kAll, op.stride.width);
  return conv(input.index({all, all, rows, columns}), 1);
}

torch::Tensor quantizer_input(const graph::Quantize& op, const torch::Tensor& x) {
  if (x.dim() == 4) return x;
  return op.tag == config::Tag::wt ? x.view(op.shape) : x.unflatten(1, {-1, 1, 1});
}

torch::Tensor compute(const graph::Operation& operation, const Inputs& in) {
  return std::visit(Computer(in), operation);
}

}  // namespace lowbit::exec
