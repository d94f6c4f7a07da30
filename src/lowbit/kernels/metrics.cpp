#include "lowbit/kernels/metrics.h"

#include <cmath>

#include "lowbit/core/error.h"
#include "lowbit/kernels/cuda/metrics.h"
#include "lowbit/kernels/math/metrics.h"

namespace lowbit::kernels {
namespace {

template <class T>
void count_on_host(const CountBatch& batch) {
  const T loss = *static_cast<const T*>(batch.loss);
  if (!std::isfinite(loss)) *batch.halted = 1;
  if (*batch.halted != 0) return;
  const T* logits = static_cast<const T*>(batch.logits);
  for (int64_t row = 0; row < batch.batch; ++row, logits += batch.classes) {
    const int64_t target = batch.targets[row];
    int64_t before = 0;
    for (int64_t j = 0; j < batch.classes; ++j)
      before += stands_before(logits[j], j, logits[target], target);
    batch.totals->top1 += before < 1;
    batch.totals->top5 += before < 5;
  }
  batch.totals->loss += static_cast<double>(loss) * static_cast<double>(batch.batch);
  batch.totals->samples += static_cast<double>(batch.batch);
}

}  // namespace

void count_batch(Backend backend, const CountBatch& batch, Stream stream) {
  if (batch.type != ScalarType::float32 && batch.type != ScalarType::float64)
    throw core::failure("count_batch: logits must be float32 or float64");
  // A few thousand comparisons a batch: the plain loop is the CPU's kernel, too.
  if (backend != Backend::cuda) {
    batch.type == ScalarType::float64 ? count_on_host<double>(batch) : count_on_host<float>(batch);
    return;
  }
#ifdef LOWBIT_CUDA
  cuda::count_batch(batch, stream);
#else
  throw core::failure("count_batch: this build has no CUDA kernels");
#endif
}

}  // namespace lowbit::kernels
