#include "lowbit/kernels/cuda/metrics.h"
#include "lowbit/kernels/math/metrics.h"

namespace lowbit::kernels::cuda {
namespace {

constexpr int warps = 32;

// One block: a warp per row, rows dealt out in turn. The counts are integers, so their order does
// not matter, and the one thread that touches the totals makes the sums of the epoch reproducible.
template <class T>
__global__ void count_kernel(CountBatch batch) {
  __shared__ int top1, top5;
  if (threadIdx.x == 0) top1 = top5 = 0;
  __syncthreads();

  const int lane = threadIdx.x % 32;
  for (int64_t row = threadIdx.x / 32; row < batch.batch; row += warps) {
    const T* logits = static_cast<const T*>(batch.logits) + row * batch.classes;
    const int64_t target = batch.targets[row];
    const T target_logit = logits[target];
    int before = 0;
#pragma unroll 8
    for (int64_t j = lane; j < batch.classes; j += 32)
      before += stands_before(logits[j], j, target_logit, target);
    for (int offset = 16; offset > 0; offset /= 2)
      before += __shfl_down_sync(0xffffffffu, before, offset);
    if (lane == 0) {
      if (before < 1) atomicAdd(&top1, 1);
      if (before < 5) atomicAdd(&top5, 1);
    }
  }
  __syncthreads();

  if (threadIdx.x != 0) return;
  const double loss = static_cast<double>(*static_cast<const T*>(batch.loss));
  if (!isfinite(loss)) *batch.halted = 1;
  if (*batch.halted != 0) return;
  batch.totals->top1 += top1;
  batch.totals->top5 += top5;
  batch.totals->loss += loss * static_cast<double>(batch.batch);
  batch.totals->samples += static_cast<double>(batch.batch);
}

}  // namespace

void count_batch(const CountBatch& batch, Stream stream) {
  const auto cuda_stream = static_cast<cudaStream_t>(stream);
  if (batch.type == ScalarType::float64)
    count_kernel<double><<<1, 32 * warps, 0, cuda_stream>>>(batch);
  else
    count_kernel<float><<<1, 32 * warps, 0, cuda_stream>>>(batch);
}

}  // namespace lowbit::kernels::cuda
