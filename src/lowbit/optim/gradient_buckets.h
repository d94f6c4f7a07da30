// Gradients summed over several processes while the backward pass still goes on.
#pragma once

#include <torch/types.h>

#include <optional>
#include <vector>

#include "lowbit/distributed/group.h"

namespace lowbit::optim {

// Parameters are taken in reverse order, which is about that in which a backward pass finishes
// their gradients, into buckets of some megabytes. As soon as all gradients of a bucket are there,
// its sum begins: one bucket after the other, so that every process begins them in the same order.
// (c10d's own Reducer waits for gradient accumulators, of which this step has none: step.cpp.)
class GradientBuckets {
 public:
  // Parameters, of one device, and group outlive the object.
  GradientBuckets(distributed::Group& group, std::vector<torch::Tensor> parameters);
  ~GradientBuckets();
  GradientBuckets(const GradientBuckets&) = delete;
  GradientBuckets& operator=(const GradientBuckets&) = delete;

  // The gradients of the sum of all processes' losses, in the order of the parameters; undefined
  // for a parameter that the loss does not depend on, which is the same one in every process. They
  // lie in buffers of the object until the next call. On a GPU a call may be captured.
  std::vector<torch::Tensor> gradients(const torch::Tensor& loss);

 private:
  struct Bucket {
    torch::Tensor flat;
    std::vector<size_t> parameters;
    std::vector<torch::Tensor> views;  // of flat, by parameter
    size_t ready = 0;
    std::optional<distributed::Pending> sum;
  };
  void add_bucket(const std::vector<size_t>& parameters);
  void on_gradient(size_t parameter, const torch::Tensor& gradient);
  void start_sum(Bucket& bucket);

  distributed::Group& group_;
  std::vector<torch::Tensor> parameters_;
  std::vector<size_t> bucket_of_;  // by parameter
  std::vector<unsigned> hooks_;
  std::vector<Bucket> buckets_;
  std::vector<torch::Tensor> arrived_;  // of the running pass, by parameter
  size_t next_ = 0;                     // the bucket whose sum begins next
};

}  // namespace lowbit::optim
