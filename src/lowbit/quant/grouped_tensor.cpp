#include "lowbit/quant/grouped_tensor.h"

namespace lowbit::quant {

GroupedTensor grouped(const torch::Tensor& x, config::Tag tag, int64_t groups) {
  const int64_t size = x.numel();
  const bool weight = tag == config::Tag::wt;
  const bool channels_last =
      !x.is_contiguous() && x.is_contiguous(torch::MemoryFormat::ChannelsLast);
  // In [O, k, k, I] a group that ends within an output channel is scattered.
  if (channels_last && (!weight || x.size(0) % groups == 0)) {
    const int64_t run = weight || groups == 1 ? size / groups : x.size(1) / groups;
    return {x, torch::MemoryFormat::ChannelsLast, {run, groups}};
  }
  const int64_t run = weight || groups == 1 ? size / groups : size / (x.size(0) * groups);
  return {x.contiguous(), torch::MemoryFormat::Contiguous, {run, groups}};
}

torch::Tensor empty_like(const GroupedTensor& x, torch::ScalarType type) {
  return torch::empty_like(x.tensor, x.tensor.options().dtype(type), x.format);
}

void* Workspace::get(const torch::Tensor& like) {
  if (!like.is_cuda()) return nullptr;
  if (!memory_.defined() || memory_.device() != like.device())
    memory_ = torch::zeros({bytes_}, like.options().dtype(torch::kUInt8));
  return memory_.mutable_data_ptr();
}

}  // namespace lowbit::quant
