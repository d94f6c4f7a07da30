#include "lowbit/nn/fused_passes.h"

#include "lowbit/tensor/tensor.h"

namespace lowbit::nn {
namespace {

FusedPasses where_fused = FusedPasses::on_gpu;

bool has_type(const torch::Tensor& x) {
  const torch::ScalarType type = x.scalar_type();
  if (x.is_cuda())
    return type == torch::kFloat32 || type == torch::kFloat16 || type == torch::kBFloat16;
  return type == torch::kFloat32 || type == torch::kFloat64;
}

bool has_whole_vectors(const torch::Tensor& x) {
  return x.size(1) % kernels::channels_per_vector(tensor::scalar_type(x.scalar_type())) == 0 &&
         reinterpret_cast<uintptr_t>(x.const_data_ptr()) % 16 == 0;
}

}  // namespace

void use_fused_passes(FusedPasses where) {
  where_fused = where;
}

bool uses_fused_passes(torch::Device device) {
  return where_fused == FusedPasses::everywhere ||
         (where_fused == FusedPasses::on_gpu && device.is_cuda());
}

bool has_fused_passes(const torch::Tensor& x) {
  return uses_fused_passes(x.device()) && x.dim() == 4 && x.numel() > 0 && has_type(x) &&
         x.is_contiguous(torch::MemoryFormat::ChannelsLast) &&
         (!x.is_cuda() || has_whole_vectors(x));
}

}  // namespace lowbit::nn
