// Samples cut out of decoded pictures on a CUDA stream: data/resample and data/color have the same
// bytes from the CPU.
#pragma once

#include <cstdint>

#include "lowbit/kernels/math/color.h"
#include "lowbit/kernels/math/resample.h"
#include "lowbit/kernels/types.h"

namespace lowbit::kernels::cuda {

// A sample of side x side pixels; all pointers are to memory of the device.
struct ResampleJob {
  const uint8_t* source = nullptr;  // [rows.size, columns.size, 3]
  int64_t row_bytes = 0;            // of the source, from a pixel to the one below it
  ResampleAxis rows, columns;       // `count` is the side
  uint8_t* narrow = nullptr;        // scratch: [rows.size, side, 3]
  uint8_t* to = nullptr;            // out: [side, side, 3]
  ColorJitter jitter = {};
};

struct Resample {
  const ResampleJob* jobs = nullptr;  // memory of the device
  int64_t count = 0;                  // of jobs
  int64_t side = 0;                   // pixels
  int64_t most_rows = 0;              // of any source
  int64_t most_taps = 0;              // of any axis, see resample_fits
  bool jitter = false;                // the samples' colors are changed
};

// Whether a reduction from `from` pixels is one that the kernels do: the weights of a row of the
// output are held in shared memory.
bool resample_fits(const ResampleAxis& axis);

// An Error (failure) if CUDA refuses a launch. count 0 is allowed.
void resample(const Resample& args, Stream stream);

}  // namespace lowbit::kernels::cuda
