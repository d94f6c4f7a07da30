// A batch from an image set in one pass: choice, augmentation, normalization, conversion, layout.
#pragma once

#include <cstdint>

#include "lowbit/kernels/math/augment.h"
#include "lowbit/kernels/types.h"

namespace lowbit::kernels {

// Sample b of the batch is the set's sample i = order[*cursor + b]. All pointers are to memory of
// the backend; cursor and epoch are read there, so that a captured CUDA graph sees their values of
// the replay. The caller keeps *cursor + batch <= size of the set.
//
// Where `indices` is not null, pixels and labels are those of this batch alone: sample b has image
// and label b, and i = indices[b] only decides its augmentation. order and cursor are not used.
struct AssembleBatch {
  // [image_count, height, width, 3]; sample i shows image i mod image_count.
  const std::uint8_t* pixels = nullptr;
  const std::int64_t* labels = nullptr;  // [size of the set]
  std::int64_t image_count = 0, height = 0, width = 0;
  const std::int64_t* order = nullptr;    // [size of the set]; null: 0, 1, 2, ...
  const std::int64_t* cursor = nullptr;   // one number
  const std::int64_t* epoch = nullptr;    // one number, 0..2^32-1
  const std::int64_t* indices = nullptr;  // [batch] or null
  // [batch, 3], added to the values in 0..1 of a sample's channels before they are normalized;
  // null: nothing.
  const float* lighting = nullptr;
  std::uint64_t seed = 0;
  Augmentation augmentation;
  double mean[3] = {0, 0, 0}, std[3] = {1, 1, 1};  // per channel, of values in 0..1
  std::int64_t batch = 0;                          // number of samples
  // [batch, 3, height, width], with 3 last in memory if channels_last. Computed in float64 for
  // float64, else in float32 and rounded to its type.
  Output images;
  bool channels_last = false;
  std::int64_t* targets = nullptr;  // out, [batch]: the labels
};

// The same bits from every back end. float16 and bfloat16 only from cuda. A wrong argument (a null
// pointer, a size below 1, a pad as large as the image) is an Error (usage), CUDA asked of a build
// without it an Error (failure). batch 0 is allowed.
void assemble_batch(Backend backend, const AssembleBatch& args, Stream stream = nullptr);

}  // namespace lowbit::kernels
