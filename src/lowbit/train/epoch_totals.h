// Loss and accuracy of an epoch on the device, and how the host looks at them without waiting.
#pragma once

#include <torch/types.h>

#include <memory>

#include "lowbit/kernels/metrics.h"

namespace lowbit::train {

class EpochTotals {
 public:
  explicit EpochTotals(torch::Device device);
  ~EpochTotals();

  // Adds a batch: logits [B, classes] and loss (mean, scalar), both float32 or float64; targets
  // int64 [B]. Within a distributed::GroupScope that of all processes, and a loss that is not
  // finite halts all of them. May be captured in a CUDA graph.
  void add(const torch::Tensor& logits, const torch::Tensor& targets, const torch::Tensor& loss);

  // float32 scalar on the device: 1 from the first loss that is not finite.
  const torch::Tensor& halted() const { return halted_; }

  void reset(const kernels::Totals& totals = {});

  struct Reading {
    kernels::Totals totals;
    bool halted;
  };
  // Waits for everything enqueued before.
  Reading read() const;

  // Without waiting: request() enqueues a copy to the host unless one is under way, latest() gives
  // the last one that arrived.
  void request();
  Reading latest() const;

  torch::Tensor totals_tensor() const { return totals_; }

 private:
  struct Mailbox;
  void count(const torch::Tensor& logits, const torch::Tensor& targets, const torch::Tensor& loss,
             const torch::Tensor& totals, const torch::Tensor& halted) const;

  torch::Tensor totals_;  // float64 [4], laid out as kernels::Totals
  torch::Tensor halted_;
  std::unique_ptr<Mailbox> mailbox_;
};

}  // namespace lowbit::train
