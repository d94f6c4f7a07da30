// Shape rules of linear layers, norms, activations, arithmetic, and changes of shape.
#include "lowbit/graph/shape_rules.h"

#include <array>

#include "lowbit/config/quant_levels.h"
#include "lowbit/graph/dims_text.h"

namespace lowbit::graph {
namespace {

void check_channels(const Dims& x) {
  if (x.empty()) throw core::usage_error("its input has no channels");
}

// Factor, shift and running statistics of a norm, from input 1 on; a counter has no sizes.
void check_norm_parameters(InputDims in) {
  constexpr std::array kNames = {"", "weight", "bias", "running_mean", "running_var"};
  check_channels(in[0]);
  for (size_t i = 1; i < std::min(in.size(), kNames.size()); ++i)
    check_equal(kNames[i], in[i], {in[0][0]});
}

void check_eps(double eps) {
  if (!(eps >= 0 && eps <= 1)) throw core::usage_error("eps {} is out of range (0..1)", eps);
}

}  // namespace

Dims shape_of(const Linear&, InputDims in) {
  const Dims &x = in[0], &weight = in[1];
  if (weight.size() != 2)
    throw core::usage_error("its weight is {}, not [O, I]", dims_text(weight));
  if (x.empty() || x.back() != weight[1])
    throw core::usage_error("its weight {} takes {} features, its input is {}", dims_text(weight),
                            weight[1], dims_text(x));
  if (in.size() > 2) check_equal("bias", in[2], {weight[0]});
  Dims y = x;
  y.back() = weight[0];
  return y;
}

Dims shape_of(const BatchNorm& op, InputDims in) {
  check_norm_parameters(in);
  check_eps(op.eps);
  if (!(op.momentum >= 0 && op.momentum <= 1))
    throw core::usage_error("momentum {} is out of range (0..1)", op.momentum);
  if (in.size() > 5) check_equal("num_batches_tracked", in[5], {});
  return in[0];
}

Dims shape_of(const GroupNorm& op, InputDims in) {
  check_norm_parameters(in);
  check_eps(op.eps);
  if (op.groups < 1 || in[0][0] % op.groups != 0)
    throw core::usage_error("{} groups do not divide {} channels", op.groups, in[0][0]);
  return in[0];
}

Dims shape_of(const InstanceNorm& op, InputDims in) {
  if (in[0].size() < 2)
    throw core::usage_error("its input {} has no pixels to normalize over", dims_text(in[0]));
  check_eps(op.eps);
  return in[0];
}

Dims shape_of(const Relu&, InputDims in) {
  return in[0];
}

Dims shape_of(const Clip& op, InputDims in) {
  if (!(op.low <= op.high))
    throw core::usage_error("its lower bound {} is above its upper one {}", op.low, op.high);
  return in[0];
}

Dims shape_of(const LeakyRelu&, InputDims in) {
  return in[0];
}

Dims shape_of(const PRelu&, InputDims in) {
  check_channels(in[0]);
  if (in[1] != Dims{1}) check_equal("slope", in[1], {in[0][0]});
  return in[0];
}

Dims shape_of(const Quantize& op, InputDims in) {
  if (op.options.bit && (*op.options.bit < 1 || *op.options.bit > 8))
    throw core::usage_error("{} bits are out of range (1..8)", *op.options.bit);
  if (!op.options.bit && !op.options.level) throw core::usage_error("it has no number of levels");
  if (op.options.levels() < 2 || op.options.levels() > 256)
    throw core::usage_error("{} levels are out of range (2..256)", op.options.levels());
  if (const std::string fault = config::level_fault(op.tag, op.options); !fault.empty())
    throw core::usage_error("{}", fault);
  check_dims({op.shape.begin(), op.shape.end()});
  check_range("batch size", op.batch_size, 1);
  check_range("input size", op.input_size, 1);
  check_channels(in[0]);
  if (op.tag != config::Tag::wt && op.shape != std::array<int64_t, 4>{1, in[0][0], 1, 1})
    throw core::usage_error("its groups are those of {} channels, its input is {}", op.shape[1],
                            dims_text(in[0]));
  return in[0];
}

Dims shape_of(const Binary&, InputDims in) {
  const Dims &a = in[0], &b = in[1];
  const Dims &longer = a.size() >= b.size() ? a : b, &shorter = a.size() >= b.size() ? b : a;
  Dims y = longer;
  for (size_t i = 0; i < shorter.size(); ++i) {
    int64_t& size = y[longer.size() - shorter.size() + i];
    if (size != shorter[i] && size != 1 && shorter[i] != 1)
      throw core::usage_error("sizes {} and {} do not fit", dims_text(a), dims_text(b));
    size = std::max(size, shorter[i]);
  }
  return y;
}

Dims shape_of(const Concat& op, InputDims in) {
  Dims y = in[0];
  check_axis(y, op.axis);
  const auto axis = static_cast<size_t>(op.axis);
  for (const Dims& x : in.subspan(1)) {
    Dims other = x;
    if (other.size() == y.size()) other[axis] = y[axis];
    if (other != y)
      throw core::usage_error("{} and {} cannot be joined along axis {}", dims_text(in[0]),
                              dims_text(x), op.axis);
    y[axis] += x[axis];
  }
  return y;
}

Dims shape_of(const Slice& op, InputDims in) {
  Dims y = in[0];
  check_axis(y, op.axis);
  int64_t& size = y[static_cast<size_t>(op.axis)];
  check_range("step", op.step, 1);
  if (op.begin < 0 || op.begin >= op.end || op.end > size)
    throw core::usage_error("entries {} to {} are not in axis {} of {}", op.begin, op.end, op.axis,
                            dims_text(in[0]));
  size = (op.end - op.begin - 1) / op.step + 1;
  return y;
}

Dims shape_of(const Mean& op, InputDims in) {
  const Dims& x = in[0];
  if (op.axes.empty()) throw core::usage_error("it has no axes");
  if (std::ranges::adjacent_find(op.axes, std::greater_equal<>()) != op.axes.end())
    throw core::usage_error("its axes {} do not ascend", dims_text(op.axes));
  for (const int64_t axis : op.axes) check_axis(x, axis);
  Dims y;
  for (size_t i = 0; i < x.size(); ++i)
    if (!std::ranges::binary_search(op.axes, static_cast<int64_t>(i)))
      y.push_back(x[i]);
    else if (op.keep)
      y.push_back(1);
  return y;
}

Dims shape_of(const Reshape& op, InputDims in) {
  check_dims(op.dims);
  if (element_count(op.dims) != element_count(in[0]))
    throw core::usage_error("{} cannot become {}", dims_text(in[0]), dims_text(op.dims));
  return op.dims;
}

Dims shape_of(const Transpose& op, InputDims in) {
  const Dims& x = in[0];
  std::vector<bool> taken(x.size());
  if (op.permutation.size() != x.size())
    throw core::usage_error("its permutation {} is not one of the axes of {}",
                            dims_text(op.permutation), dims_text(x));
  Dims y;
  for (const int64_t axis : op.permutation) {
    check_axis(x, axis);
    const auto i = static_cast<size_t>(axis);
    if (taken[i])
      throw core::usage_error("its permutation {} has axis {} twice", dims_text(op.permutation),
                              axis);
    taken[i] = true;
    y.push_back(x[i]);
  }
  return y;
}

Dims shape_of(const ScaledSum&, InputDims in) {
  Dims y = in[0];
  check_channels(y);
  if (in[1].size() != 1 || y[0] % in[1][0] != 0)
    throw core::usage_error("scales {} do not divide {}", dims_text(in[1]), dims_text(y));
  y[0] /= in[1][0];
  return y;
}

Dims shape_of(const Widen&, InputDims in) {
  return in[0];
}

}  // namespace lowbit::graph
