// Steps that gather pixels: pools, means over pixels and convolutions of reals, row by row. Each
// number is the sum, or the maximum, of the same numbers in the same order as in the plain loops:
// places of the receptive field one after the other, and for each of them all pixels of the row.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "lowbit/runtime/network.h"
#include "lowbit/runtime/vector_functions.h"

namespace lowbit::runtime {

struct InstructionSet;

class SpatialStep {
 public:
  static bool can(const packed::Step& step);

  // isa is not "reference".
  SpatialStep(const Network& network, int step, const InstructionSet& isa);

  // Rows from the receptive field of one row of the result to that of the next.
  int stride() const { return stride_; }
  // The most that run() reads for so many rows of the result.
  int most_receptive_rows(int rows) const { return (rows - 1) * stride_ + height_; }
  // What it reads for these.
  Rows receptive_rows(Rows rows) const;
  void run(const Values& values, Rows rows) const;

 private:
  void set_convolution(const packed::RealConv& conv, const InstructionSet& isa);
  void set_pool(const packed::Pool& pool, const InstructionSet& isa);
  // The part of a receptive field, which may reach beyond the image, that lies inside it.
  std::pair<int64_t, int64_t> inside(int position, int size, int kernel) const;
  void maximum_row(const Tensor& in, const Tensor& out, int y) const;
  void gather(const Tensor& in, const Tensor& out, int y, int row, int column) const;
  void end_row(const Tensor& out, int y) const;

  int input_ = 0, result_ = 0;
  ValueType in_, out_;
  // Of the receptive field, which of a mean is the whole image.
  int height_ = 1, width_ = 1, stride_ = 1, padding_ = 0;
  bool maximum_ = false;
  SpatialFunction function_ = nullptr;
  int calls_ = 1;               // for one place: groups that are convolved one by one
  std::vector<float> weights_;  // [row][column][in / groups][out]
  // What becomes of a sum.
  ElementwiseFunction finish_ = nullptr;
  std::vector<float> factor_, shift_;
  float divisor_ = 1;
};

}  // namespace lowbit::runtime
