// Mixtures of two samples of a batch instead of the samples themselves.
// Zhang et al., https://arxiv.org/abs/1710.09412
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "lowbit/train/loss.h"

namespace lowbit::train {

// What one batch is mixed by.
struct Mixture {
  double share;                   // of a sample itself, 0..1; the rest is its partner's
  std::vector<int64_t> partners;  // of each sample: a permutation of the batch
};

// A function of its arguments alone. share: from Beta(alpha, alpha); alpha >= 0, 0 means share 1.
// partners: uniformly random. batch: its number in the epoch, both counted from 0.
Mixture draw_mixture(double alpha, uint64_t seed, int64_t epoch, int64_t batch, int64_t size);

class Mixup {
 public:
  // largest: the samples of a batch, at most.
  Mixup(double alpha, uint64_t seed, int64_t largest, torch::Device device);

  // Enqueues the copy of this batch's mixture to the device; the step enqueued next uses it.
  void begin(int64_t epoch, int64_t batch, int64_t size);

  // Parts of the captured step. images [B, ...], contiguous or channels-last, stay as they are.
  torch::Tensor mix(const torch::Tensor& images) const;
  Labels mix_labels(const torch::Tensor& targets) const;

 private:
  torch::Tensor partners_of(const torch::Tensor& batch) const;

  double alpha_;
  uint64_t seed_;
  torch::Tensor share_;     // float32 scalar on the device
  torch::Tensor partners_;  // int64 [largest] on the device
};

}  // namespace lowbit::train
