// Normalization layers. Parameters and statistics stay float32 (float64 in a float64 network) for
// half-precision features.
#pragma once

#include "lowbit/config/model_options.h"
#include "lowbit/nn/layer.h"
#include "lowbit/nn/norm_pass.h"

namespace lowbit::nn {

// https://arxiv.org/abs/1502.03167, eps 1e-5, momentum 0.1.
class BatchNorm : public Layer {
 public:
  // kind: batch; static_batch (fixed statistics, learned factor and shift); frozen_batch (all
  // fixed); reverse_batch (factor and shift before the normalization).
  BatchNorm(int64_t channels, config::Norm kind);

  torch::Tensor& weight() { return state_.weight; }
  // The int64 scalar num_batches_tracked; undefined where no statistics are taken. The network
  // advances it for all its norms at once.
  torch::Tensor batches_to_count() const;

  // Norms of one kind and width next to each other: the first normalizes the first channels of x,
  // and so on.
  static torch::Tensor forward_joined(const std::vector<BatchNorm*>& norms, const torch::Tensor& x);

  config::Norm kind() const { return kind_; }

  // Whether norm_pass() with pass() is what is computed of x: in training, with statistics of this
  // process's batch.
  bool has_pass(const torch::Tensor& x) const;
  NormPass pass() const;

 protected:
  // x [B, C, H, W]
  torch::Tensor compute(const torch::Tensor& x) override;

 private:
  // What a pass reads and writes.
  struct State {
    torch::Tensor weight, bias, mean, var;
  };

  bool learns_statistics() const;
  torch::Tensor normalize(const torch::Tensor& x, const State& state) const;

  config::Norm kind_;
  State state_;
  torch::Tensor batches_;
  std::shared_ptr<quant::Workspace> workspace_;
};

// https://arxiv.org/abs/1803.08494. `groups` must divide `channels`, else an Error (usage).
class GroupNorm : public Layer {
 public:
  GroupNorm(int64_t channels, int64_t groups);
  int64_t groups() const { return groups_; }

 protected:
  torch::Tensor compute(const torch::Tensor& x) override;

 private:
  int64_t groups_;
  torch::Tensor weight_, bias_;
};

// https://arxiv.org/abs/1607.08022, without factor, shift or running statistics.
class InstanceNorm : public Layer {
 protected:
  torch::Tensor compute(const torch::Tensor& x) override;
};

// The norm that the keywords choose.
LayerPtr make_norm(int64_t channels, const config::ModelOptions& options);

// Makes the norm's factor 0 (keyword zir). Nothing to do for a norm without one.
void zero_factor(Layer& norm);

}  // namespace lowbit::nn
