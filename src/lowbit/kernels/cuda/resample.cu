#include "lowbit/kernels/cuda/launch_error.h"
#include "lowbit/kernels/cuda/resample.h"

namespace lowbit::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kSourceRows = 32;  // of a block: the weights of its columns serve all of them
constexpr int kWantedRows = 8;   // of a block
constexpr int kColorThreads = 1024;
constexpr int64_t kSharedBytes = 48 << 10;  // that every device gives a block

// The rows of the source that any wanted row is made of.
struct RowRange {
  int64_t begin, end;
};
__device__ RowRange needed_rows(const ResampleAxis& rows) {
  const ResampleTaps last = resample_taps(rows, rows.count - 1);
  return {resample_taps(rows, 0).first, last.first + last.count};
}

// Rows of the source become rows of `side` pixels; a thread has a column of these.
__global__ void narrow_kernel(Resample args) {
  extern __shared__ int32_t weights[];  // [most_taps, side]
  const ResampleJob& job = args.jobs[blockIdx.y];
  const RowRange needed = needed_rows(job.rows);
  const int64_t top = needed.begin + static_cast<int64_t>(blockIdx.x) * kSourceRows;
  const int64_t bottom = top + kSourceRows < needed.end ? top + kSourceRows : needed.end;
  if (top >= bottom) return;
  for (int64_t x = threadIdx.x; x < args.side; x += kThreads) {
    const ResampleTaps taps = resample_taps(job.columns, x);
    resample_weights(taps, weights + x, args.side);
    for (int64_t y = top; y < bottom; ++y) {
      const uint8_t* from = job.source + y * job.row_bytes + taps.first * 3;
      int32_t sum[3] = {kResampleHalf, kResampleHalf, kResampleHalf};
      for (int64_t t = 0; t < taps.count; ++t)
        for (int c = 0; c < 3; ++c) sum[c] += from[t * 3 + c] * weights[t * args.side + x];
      uint8_t* to = job.narrow + (y * args.side + x) * 3;
      for (int c = 0; c < 3; ++c) to[c] = resampled_byte(sum[c]);
    }
  }
}

// Rows of the sample, each of narrow ones; a thread has a byte of all of the block's rows.
__global__ void shorten_kernel(Resample args) {
  extern __shared__ int32_t weights[];  // [kWantedRows, most_taps]
  __shared__ ResampleTaps taps[kWantedRows];
  const ResampleJob& job = args.jobs[blockIdx.y];
  const int64_t top = static_cast<int64_t>(blockIdx.x) * kWantedRows;
  const int rows = static_cast<int>(args.side - top < kWantedRows ? args.side - top : kWantedRows);
  if (static_cast<int>(threadIdx.x) < rows) {
    const int row = static_cast<int>(threadIdx.x);
    taps[row] = resample_taps(job.rows, top + row);
    resample_weights(taps[row], weights + row * args.most_taps, 1);
  }
  __syncthreads();
  const int64_t row_bytes = args.side * 3;
  for (int64_t i = threadIdx.x; i < row_bytes; i += kThreads) {
    for (int row = 0; row < rows; ++row) {
      const uint8_t* from = job.narrow + taps[row].first * row_bytes + i;
      int32_t sum = kResampleHalf;
      for (int64_t t = 0; t < taps[row].count; ++t)
        sum += from[t * row_bytes] * weights[row * args.most_taps + t];
      job.to[(top + row) * row_bytes + i] = resampled_byte(sum);
    }
  }
}

// The sum of the grays of all pixels, for every thread of the block.
__device__ uint64_t sum_of_grays(const uint8_t* pixels, int64_t count) {
  __shared__ unsigned long long sum;
  if (threadIdx.x == 0) sum = 0;
  __syncthreads();
  unsigned long long mine = 0;
  for (int64_t i = threadIdx.x; i < count; i += blockDim.x) mine += gray(pixels + 3 * i);
  atomicAdd(&sum, mine);
  __syncthreads();
  return sum;
}

// A block for each sample. A thread comes back to the pixels it has changed itself, so that only
// the sum need be waited for.
__global__ void color_kernel(Resample args) {
  const ResampleJob& job = args.jobs[blockIdx.x];
  const ColorJitter& jitter = job.jitter;
  const int64_t count = args.side * args.side;
  for (const int change : jitter.order) {
    const float factor = change == 0   ? jitter.brightness
                         : change == 1 ? jitter.contrast
                                       : jitter.saturation;
    uint8_t none = 0;
    if (change == 1) none = mean_gray(sum_of_grays(job.to, count), count);
    for (int64_t i = threadIdx.x; i < count; i += blockDim.x) {
      uint8_t* pixel = job.to + 3 * i;
      if (change == 2) none = gray(pixel);
      for (int c = 0; c < 3; ++c) pixel[c] = blend(none, pixel[c], factor);
    }
  }
}

unsigned blocks_over(int64_t size, int64_t of_a_block) {
  return static_cast<unsigned>((size + of_a_block - 1) / of_a_block);
}

}  // namespace

bool resample_fits(const ResampleAxis& axis) {
  const int64_t wider = axis.count > kWantedRows ? axis.count : kWantedRows;
  return most_taps(axis) * wider * static_cast<int64_t>(sizeof(int32_t)) +
             kWantedRows * static_cast<int64_t>(sizeof(ResampleTaps)) <=
         kSharedBytes;
}

void resample(const Resample& args, Stream stream) {
  if (args.count == 0) return;
  const auto jobs = static_cast<unsigned>(args.count);
  auto* on = static_cast<cudaStream_t>(stream);
  const auto shared = [&](int64_t rows_of_weights) {
    return static_cast<size_t>(args.most_taps * rows_of_weights) * sizeof(int32_t);
  };
  narrow_kernel<<<dim3(blocks_over(args.most_rows, kSourceRows), jobs), kThreads, shared(args.side),
                  on>>>(args);
  check_launch("narrow");
  shorten_kernel<<<dim3(blocks_over(args.side, kWantedRows), jobs), kThreads, shared(kWantedRows),
                   on>>>(args);
  check_launch("shorten");
  if (!args.jitter) return;
  color_kernel<<<jobs, kColorThreads, 0, on>>>(args);
  check_launch("change colors");
}

}  // namespace lowbit::kernels::cuda
