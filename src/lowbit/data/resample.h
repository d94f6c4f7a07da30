// Resizing as Pillow's Image.resize does it with its BILINEAR filter (Pillow's Resample.c): a
// triangle that is as wide as the distance of the output's pixels in the source, hence without
// aliasing; rows first, rounded to bytes, then columns; weights of 22 bits. The results are
// Pillow's, byte for byte, where it begins with the rows, too; its later releases begin with what
// is cheaper, which makes a difference of 1 here and there.
#pragma once

#include <cstdint>
#include <vector>

#include "lowbit/kernels/math/resample.h"

namespace lowbit::data {

using Axis = kernels::ResampleAxis;

// From which pixels of the source each wanted pixel comes, and with which weights.
class AxisFilter {
 public:
  explicit AxisFilter(const Axis& axis);

  // The range of the source that is read, and how many pixels are made of it.
  int64_t source_begin() const { return begin_; }
  int64_t source_end() const { return end_; }
  int64_t count() const { return static_cast<int64_t>(taps_.size()); }

  // Wanted pixel i is the sum of `count` source pixels from `first` on, weights in 2^-22.
  struct Taps {
    int64_t first, count;
    const int32_t* weights;
  };
  Taps taps(int64_t i) const;

 private:
  struct Range {
    int64_t first, count;
  };
  std::vector<Range> taps_;
  std::vector<int32_t> weights_;  // [count, longest]
  int64_t longest_, begin_ = 0, end_ = 0;
};

// What resample needs between its two passes; kept, it is allocated once.
struct ResampleBuffers {
  std::vector<uint8_t> columns, narrow, rows;
};

// source: the pixel at (rows.source_begin(), columns.source_begin()), three bytes a pixel; so are
// the pixels up to source_end() laid out, row_bytes from row to row. to: [rows.count(),
// columns.count(), 3] contiguous.
void resample(const uint8_t* source, int64_t row_bytes, const AxisFilter& rows,
              const AxisFilter& columns, uint8_t* to, ResampleBuffers& buffers);

}  // namespace lowbit::data
