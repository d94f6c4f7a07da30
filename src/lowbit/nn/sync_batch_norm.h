// Batch normalization over the batch of several processes.
#pragma once

#include <torch/types.h>

#include "lowbit/distributed/group.h"

namespace lowbit::nn {

// As torch::batch_norm in training, with the statistics of all processes' x [B, C, ...], whose
// batches may differ in size. weight, bias [C]. running_mean and running_var [C] are updated, the
// same in every process. Gradients of weight and bias are those of the own batch, so that their sum
// over the processes is that of the whole one.
torch::Tensor sync_batch_norm(distributed::Group& group, const torch::Tensor& x,
                              const torch::Tensor& weight, const torch::Tensor& bias,
                              const torch::Tensor& running_mean, const torch::Tensor& running_var,
                              double momentum, double eps);

}  // namespace lowbit::nn
