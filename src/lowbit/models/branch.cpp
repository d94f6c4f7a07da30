#include "lowbit/models/branch.h"

#include <torch/autograd.h>

#include <algorithm>

#include "lowbit/core/error.h"
#include "lowbit/nn/norm.h"
#include "lowbit/nn/quant_conv.h"
#include "lowbit/nn/repeat.h"
#include "lowbit/nn/side_by_side.h"

namespace lowbit::models {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

void check_skip(torch::IntArrayRef y, const torch::Tensor& skip) {
  const int64_t height = y[2], other = skip.size(2);
  if (height != other && height != 1 && other != 1)
    throw core::usage_error(
        "a block's convolutions give {} x {} pixels, its shortcut {} x {}: the size of the images "
        "does not suit the strides",
        height, y[3], other, skip.size(3));
}

// The layers that the branches have in one place; empty if one is not a T.
template <class T>
std::vector<T*> layers_of(const std::vector<Branch>& branches, size_t unit,
                          nn::LayerPtr Unit::*part) {
  std::vector<T*> layers;
  for (const Branch& branch : branches)
    if (auto* layer = dynamic_cast<T*>((branch[unit].*part).get())) layers.push_back(layer);
  if (layers.size() != branches.size()) layers.clear();
  return layers;
}

bool can_join(const std::vector<nn::Layer*>& layers) {
  return std::ranges::all_of(layers, [](const nn::Layer* layer) {
    return !layer->is_probed() && layer->parameters().empty();
  });
}

bool can_join(const std::vector<nn::BatchNorm*>& norms) {
  return !norms.empty() && std::ranges::all_of(norms, [&](const nn::BatchNorm* norm) {
    return !norm->is_probed() && norm->kind() == norms.front()->kind();
  });
}

// Features that all branches still share, [B, C, H, W], or those of each, [B, branches * C, H, W].
struct Joined {
  torch::Tensor tensor;
  bool shared = true;
};

// Below, y are the features of K branches next to each other as channels, [B, K * C, H, W]. The
// passes go over arrays of pixels: left to find out the memory format by themselves, they choose
// one that is neither, and copies follow.

// [B, H, W, count, C], contiguous
torch::Tensor pixels(const torch::Tensor& y, int64_t count) {
  return y.permute({0, 2, 3, 1}).contiguous().unflatten(3, {count, -1});
}

torch::Tensor from_pixels(const torch::Tensor& y) {
  return y.flatten(3).permute({0, 3, 1, 2});
}

// y + shared [B, C, H, W], added to each branch
class AddShared : public torch::autograd::Function<AddShared> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& y,
                               const torch::Tensor& shared) {
    const int64_t count = y.size(1) / shared.size(1);
    context->saved_data["count"] = count;
    return from_pixels(pixels(y, count) + pixels(shared, 1));
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const int64_t count = context->saved_data["count"].toInt();
    return {grads[0], from_pixels(pixels(grads[0], count).sum(3, /*keepdim=*/true))};
  }
};

// The sum over the branches of scales [K] times y: [B, C, H, W]. A product of matrices is one pass
// over the memory each way; K passes of products and sums take twice as long.
torch::Tensor scaled_sum(const torch::Tensor& y, const torch::Tensor& scales) {
  const int64_t count = scales.size(0), channels = y.size(1) / count;
  const torch::Tensor each = scales.to(y.scalar_type()).unsqueeze(1).expand({count, channels});
  const torch::Tensor matrix = torch::diag_embed(each).flatten(0, 1);  // [K * C, C]
  return torch::matmul(pixels(y, 1).flatten(3), matrix).permute({0, 3, 1, 2});
}

// Runs `count` units in the order of the row. skip: only if `skips`, what is added after the first
// unit where the row says so; after each further one it is what entered that. `layers` has
// convolve, normalize and activate of (unit, y), add(y, skip), and settled(y) before a second use.
template <class Features, class Layers>
Features run_units(const OrderRow& order, size_t count, Features y, Features skip, bool skips,
                   const Layers& layers) {
  for (size_t unit = 0; unit < count; ++unit) {
    for (const Op op : order.unit) {
      if (op == Op::conv)
        y = layers.convolve(unit, y);
      else if (op == Op::norm)
        y = layers.normalize(unit, y);
      else if (op == Op::activation)
        y = layers.activate(unit, y);
      else if (skips)
        y = layers.add(y, skip);
    }
    if (skips && unit + 1 < count) skip = layers.settled(y);
  }
  return y;
}

struct OneBranch {
  const Branch& branch;

  nn::Deferred convolve(size_t unit, nn::Deferred x) const {
    x.pass_through(*branch[unit].conv);
    return x;
  }
  nn::Deferred normalize(size_t unit, nn::Deferred x) const {
    x.pass_through(*branch[unit].norm);
    return x;
  }
  nn::Deferred activate(size_t unit, nn::Deferred x) const {
    x.pass_through(*branch[unit].activation);
    return x;
  }
  nn::Deferred add(nn::Deferred y, nn::Deferred skip) const {
    add_skip(y, skip.tensor());
    return y;
  }
  // What is used twice is computed once.
  nn::Deferred settled(nn::Deferred& y) const { return nn::Deferred(y.tensor()); }
};

class JoinedBranches {
 public:
  explicit JoinedBranches(const std::vector<Branch>& branches)
      : branches_(branches), count_(static_cast<int64_t>(branches.size())) {}

  Joined convolve(size_t unit, const Joined& x) const {
    const auto convs = layers_of<nn::QuantConv2d>(branches_, unit, &Unit::conv);
    return {nn::QuantConv2d::forward_joined(convs, x.tensor, x.shared ? 1 : count_), false};
  }

  Joined normalize(size_t unit, const Joined& x) const {
    const auto norms = layers_of<nn::BatchNorm>(branches_, unit, &Unit::norm);
    if (norms.empty()) return x;
    const torch::Tensor each = x.shared ? repeated(x.tensor) : x.tensor;
    return {nn::BatchNorm::forward_joined(norms, each), false};
  }

  Joined activate(size_t unit, const Joined& x) const {
    return {branches_.front()[unit].activation->forward(x.tensor), x.shared};
  }

  Joined settled(const Joined& y) const { return y; }

  Joined add(const Joined& y, const Joined& skip) const {
    check_skip(y.tensor.sizes(), skip.tensor);
    if (y.shared == skip.shared) return {y.tensor + skip.tensor, y.shared};
    const bool fits = y.tensor.sizes().slice(2) == skip.tensor.sizes().slice(2);
    const Joined &each = y.shared ? skip : y, &shared = y.shared ? y : skip;
    if (!fits) return {each.tensor + repeated(shared.tensor), false};
    return {AddShared::apply(each.tensor, shared.tensor), false};
  }

 private:
  torch::Tensor repeated(const torch::Tensor& x) const {
    return nn::RepeatChannels(count_).forward(x);
  }

  const std::vector<Branch>& branches_;
  int64_t count_;
};

}  // namespace

void add_skip(nn::Deferred& y, const torch::Tensor& skip) {
  check_skip(y.sizes(), skip);
  y.add(skip);
}

nn::Deferred run_branch(const OrderRow& order, const Branch& branch, const torch::Tensor& x,
                        const torch::Tensor& shortcut) {
  return run_units(order, branch.size(), nn::Deferred(x), nn::Deferred(shortcut),
                   shortcut.defined(), OneBranch{branch});
}

bool can_join(const std::vector<Branch>& branches) {
  for (size_t unit = 0; unit < branches.front().size(); ++unit) {
    const auto convs = layers_of<nn::QuantConv2d>(branches, unit, &Unit::conv);
    const bool without_norm = !layers_of<nn::Identity>(branches, unit, &Unit::norm).empty();
    if (convs.empty() || !nn::QuantConv2d::can_join(convs)) return false;
    if (!without_norm && !can_join(layers_of<nn::BatchNorm>(branches, unit, &Unit::norm)))
      return false;
    if (!can_join(layers_of<nn::Layer>(branches, unit, &Unit::activation))) return false;
  }
  return true;
}

torch::Tensor run_joined(const OrderRow& order, const std::vector<Branch>& branches,
                         const std::vector<torch::Tensor>& scales, const torch::Tensor& x,
                         const torch::Tensor& shortcut) {
  const Joined y = run_units(order, branches.front().size(), Joined{x}, Joined{shortcut},
                             shortcut.defined(), JoinedBranches(branches));
  return scaled_sum(y.tensor, nn::side_by_side(scales));
}

}  // namespace lowbit::models
