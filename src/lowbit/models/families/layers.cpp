#include "lowbit/models/families/layers.h"

#include <fmt/format.h>

#include "lowbit/core/error.h"

namespace lowbit::models::families {
namespace {

using config::Activation;
using config::Norm;

constexpr int kUsualGroups = 32;

graph::GroupNorm group_norm(int64_t channels, const config::ModelOptions& options) {
  const int given = options.fm.quant_group;
  const int64_t groups = given == 0 ? kUsualGroups : given;
  if (groups < 1 || channels % groups != 0)
    throw core::usage_error("group-norm: {} groups do not divide {} channels", groups, channels)
        .detail("--fm_quant_group sets the number of groups (default 32).");
  return {.groups = groups};
}

graph::BatchNorm batch_norm(Norm kind) {
  return {.fixed_statistics = kind == Norm::static_batch || kind == Norm::frozen_batch,
          .affine_first = kind == Norm::reverse_batch};
}

// Without a learned slope.
graph::Operation plain_activation(Activation kind) {
  if (kind == Activation::relu6) return graph::Clip{.low = 0, .high = 6};
  if (kind == Activation::leaky_relu) return graph::LeakyRelu{.slope = 0.01};
  return graph::Relu{};
}

}  // namespace

ValueId norm(Builder& b, std::string_view name, ValueId x, const config::ModelOptions& options,
             double weight) {
  if (options.norm == Norm::group)
    return b.group_norm(name, x, group_norm(b.channels(x), options), {.weight = weight});
  if (options.norm == Norm::instance) return b.node(name, graph::InstanceNorm{}, {x});
  const bool frozen = options.norm == Norm::frozen_batch;
  return b.batch_norm(
      name, x, batch_norm(options.norm),
      {.role = frozen ? graph::Role::frozen : graph::Role::trained, .weight = weight});
}

ValueId block_norm(Builder& b, std::string_view name, ValueId x,
                   const config::ModelOptions& options, double weight) {
  return options.fixup ? x : norm(b, name, x, options, weight);
}

void unused_block_norm(Builder& b, std::string_view name, int64_t channels,
                       const config::ModelOptions& options, double weight) {
  const graph::NormSpec spec = {.role = graph::Role::frozen, .weight = weight};
  if (options.fixup || options.norm == Norm::instance) return;
  if (options.norm == Norm::group) {
    group_norm(channels, options);
    b.group_norm_parameters(name, channels, spec);
  } else {
    b.batch_norm_parameters(name, channels, spec);
  }
}

ValueId activation(Builder& b, std::string_view name, ValueId x, Activation kind) {
  if (kind == Activation::none) return x;
  if (kind == Activation::prelu) return b.prelu(name, x);
  return b.node(name, plain_activation(kind), {x});
}

SharedActivation::SharedActivation(Builder& b, std::string_view name, Activation kind)
    : b_(b), name_(name), kind_(kind) {
  if (kind == Activation::prelu) slope_ = b.prelu_slope(name);
}

ValueId SharedActivation::operator()(ValueId x) {
  if (kind_ != Activation::prelu) return activation(b_, b_.unused_name(name_), x, kind_);
  return b_.node(b_.unused_name(name_), graph::PRelu{}, {x, slope_});
}

ValueId add_skip(Builder& b, std::string_view name, ValueId y, ValueId skip) {
  const int64_t height = b.dims(y)[1], width = b.dims(y)[2];
  const int64_t skip_height = b.dims(skip)[1], skip_width = b.dims(skip)[2];
  const auto fits = [](int64_t size, int64_t other) {
    return size == other || size == 1 || other == 1;
  };
  if (!fits(height, skip_height) || !fits(width, skip_width))
    throw core::usage_error(
        "a block's convolutions give {} x {} pixels, its shortcut {} x {}: the size of the images "
        "does not suit the strides",
        height, width, skip_height, skip_width);
  return b.add(name, y, skip);
}

ValueId last_linear(Builder& b, std::string_view name, ValueId x, const graph::LinearSpec& spec) {
  return b.linear(name, b.node("widen", graph::Widen{}, {x}), spec);
}

ValueId average_pool(Builder& b, std::string_view name, ValueId x, int64_t size) {
  return b.node(
      name, graph::Pool{.kind = graph::Pool::Kind::average, .kernel = size, .stride = size}, {x});
}

}  // namespace lowbit::models::families
