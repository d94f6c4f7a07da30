// Loss and accuracy of an epoch, summed on the device so that no step waits for the host.
#pragma once

#include <cstdint>

#include "lowbit/kernels/types.h"

namespace lowbit::kernels {

// Sums over the samples so far. top1 and top5 count the samples whose target is among the 1 and 5
// highest logits.
struct Totals {
  double loss;
  double top1, top5;
  double samples;
};

struct CountBatch {
  const void* logits;  // [batch, classes], `type`: float32 or float64
  const void* loss;    // one number of `type`: the mean over the batch
  ScalarType type;
  const int64_t* targets;  // [batch]
  int64_t batch, classes;
  Totals* totals;  // in and out
  // In and out, one number: set to 1 by a loss that is not finite. From then on totals stand still,
  // so that totals->samples tells the batch that failed.
  float* halted;
};

void count_batch(Backend backend, const CountBatch& batch, Stream stream);

}  // namespace lowbit::kernels
