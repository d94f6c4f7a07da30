// A tensor as quantizer kernels take it: dense in memory, with the place of its groups there.
#pragma once

#include <torch/types.h>

#include "lowbit/kernels/types.h"
#include "lowbit/quant/shape.h"

namespace lowbit::quant {

struct GroupedTensor {
  torch::Tensor tensor;
  torch::MemoryFormat format;  // contiguous or channels-last
  kernels::Groups groups;
};

// x itself where it is contiguous or channels-last and no group is scattered in it; otherwise a
// contiguous copy. fm and ot group channels; wt splits [O * I, k, k] evenly.
GroupedTensor grouped(const torch::Tensor& x, config::Tag tag, int64_t groups);

// An uninitialized tensor like x in shape and memory format.
torch::Tensor empty_like(const GroupedTensor& x, torch::ScalarType type);

// The scratch memory of a CUDA kernel: one for each quantizer, since the calls of one quantizer
// follow each other on one stream.
class Workspace {
 public:
  explicit Workspace(size_t bytes = kernels::kWorkspaceBytes)
      : bytes_(static_cast<int64_t>(bytes)) {}

  // On the device of `like`, allocated at the first call; null on the CPU, whose kernels need none.
  void* get(const torch::Tensor& like);

 private:
  int64_t bytes_;
  torch::Tensor memory_;
};

}  // namespace lowbit::quant
