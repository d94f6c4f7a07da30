#include "lowbit/runtime/spatial_step.h"

#include <algorithm>

#include "lowbit/runtime/formulas.h"
#include "lowbit/runtime/kernels/instruction_set.h"

namespace lowbit::runtime {

bool SpatialStep::can(const packed::Step& step) {
  const packed::Mean* mean = step.operation_as_Mean();
  return step.operation_as_Pool() || step.operation_as_RealConv() ||
         (mean && !mean->over_channels());
}

SpatialStep::SpatialStep(const Network& network, int step, const InstructionSet& isa)
    : input_(inputs_of(network.step(step)).front()),
      result_(step + 1),
      in_(network.types()[static_cast<size_t>(input_)]),
      out_(network.types()[static_cast<size_t>(result_)]) {
  const size_t channels = static_cast<size_t>(out_.shape.channels);
  factor_.assign(channels, formulas::kNoFactor);
  shift_.assign(channels, formulas::kNoShift);
  if (const packed::RealConv* conv = network.step(step).operation_as_RealConv()) {
    set_convolution(*conv, isa);
  } else if (const packed::Pool* pool = network.step(step).operation_as_Pool()) {
    set_pool(*pool, isa);
  } else {
    height_ = in_.shape.height;
    width_ = in_.shape.width;
    function_ = isa.functions->of(SpatialOperation::sum);
    divisor_ = static_cast<float>(in_.shape.pixels());
  }
}

void SpatialStep::set_convolution(const packed::RealConv& conv, const InstructionSet& isa) {
  height_ = width_ = conv.window()->kernel();
  stride_ = conv.window()->stride();
  padding_ = conv.window()->padding();
  const auto out = static_cast<size_t>(out_.shape.channels);
  const auto inside = static_cast<size_t>(in_.shape.channels / conv.groups());
  const size_t places = static_cast<size_t>(height_) * static_cast<size_t>(width_) * inside;
  weights_.resize(places * out);
  for (size_t o = 0; o < out; ++o)
    for (size_t i = 0; i < places; ++i)
      weights_[i * out + o] =
          conv.weight()->Get(static_cast<flatbuffers::uoffset_t>(o * places + i));
  if (conv.bias() && conv.bias()->size() > 0)
    shift_.assign(conv.bias()->begin(), conv.bias()->end());
  const bool each = inside == 1 && conv.groups() == out_.shape.channels;
  calls_ = each ? 1 : conv.groups();
  function_ =
      isa.functions->of(each ? SpatialOperation::convolve_each : SpatialOperation::convolve);
  finish_ = isa.functions->of(ElementwiseOperation::affine);
}

void SpatialStep::set_pool(const packed::Pool& pool, const InstructionSet& isa) {
  height_ = width_ = pool.window()->kernel();
  stride_ = pool.window()->stride();
  padding_ = pool.window()->padding();
  maximum_ = pool.pooling() == packed::Pooling::maximum;
  const bool codes = in_.kind == packed::Kind::code;
  function_ = isa.functions->of(codes      ? SpatialOperation::maximum_codes
                                : maximum_ ? SpatialOperation::maximum
                                           : SpatialOperation::sum);
  if (maximum_) return;
  factor_.assign(factor_.size(), formulas::average_factor(height_));
  finish_ = isa.functions->of(ElementwiseOperation::affine);
}

std::pair<int64_t, int64_t> SpatialStep::inside(int position, int size, int kernel) const {
  const int64_t begin = int64_t{position} * stride_ - padding_;
  return {std::max<int64_t>(begin, 0), std::min<int64_t>(begin + kernel, size)};
}

Rows SpatialStep::receptive_rows(Rows rows) const {
  return {static_cast<int>(inside(rows.first, in_.shape.height, height_).first),
          static_cast<int>(inside(rows.last - 1, in_.shape.height, height_).second)};
}

// The greatest of the pixels inside the image, the first of equals: as in the plain loops the first
// of all is compared with itself, too.
void SpatialStep::maximum_row(const Tensor& in, const Tensor& out, int y) const {
  const size_t size = in_.element_bytes(), pixel = static_cast<size_t>(out_.shape.channels);
  const auto [top, bottom] = inside(y, in_.shape.height, height_);
  SpatialCall call;
  call.channels = call.in_pixel = pixel;
  call.in_row = in_.shape.row();
  call.rows = static_cast<size_t>(bottom - top);
  for (int x = 0; x < out_.shape.width; ++x) {
    const auto [left, right] = inside(x, in_.shape.width, width_);
    call.columns = static_cast<size_t>(right - left);
    call.in = in.row(static_cast<int>(top)) + static_cast<size_t>(left) * pixel * size;
    call.out = out.row(y) + static_cast<size_t>(x) * pixel * size;
    function_(call);
  }
}

void SpatialStep::gather(const Tensor& in, const Tensor& out, int y, int row, int column) const {
  const int64_t from_y = int64_t{y} * stride_ - padding_ + row;
  if (from_y < 0 || from_y >= in_.shape.height) return;
  // Of the pixels x of the result those for which x * stride - padding + column is in the image.
  const int64_t before = int64_t{padding_} - column;
  const int64_t first = before > 0 ? (before + stride_ - 1) / stride_ : 0;
  const int64_t rest = in_.shape.width - 1 + before;
  if (rest < 0) return;
  const int64_t last = std::min<int64_t>(rest / stride_, out_.shape.width - 1);
  if (first > last) return;
  const size_t size = in_.element_bytes();
  const auto in_channels = static_cast<size_t>(in_.shape.channels);
  const auto out_channels = static_cast<size_t>(out_.shape.channels);
  const auto from_x = static_cast<size_t>(first * stride_ - before);
  const std::byte* const from = in.row(static_cast<int>(from_y)) + from_x * in_channels * size;
  float* const to = out.real_row(y) + static_cast<size_t>(first) * out_channels;
  const auto groups = static_cast<size_t>(calls_);
  const size_t inside = weights_.empty()
                            ? 0
                            : weights_.size() / out_channels / static_cast<size_t>(height_) /
                                  static_cast<size_t>(width_);
  SpatialCall call;
  call.pixels = static_cast<size_t>(last - first) + 1;
  call.channels = out_channels / groups;
  call.in_pixel = static_cast<size_t>(stride_) * in_channels;
  call.out_pixel = out_channels;
  call.in_channels = inside;
  call.weights_row = out_channels;
  for (size_t group = 0; group < groups; ++group) {
    call.in = from + group * inside * size;
    call.out = to + group * call.channels;
    if (!weights_.empty())
      call.weights = weights_.data() +
                     static_cast<size_t>(row * width_ + column) * inside * out_channels +
                     group * call.channels;
    function_(call);
  }
}

void SpatialStep::end_row(const Tensor& out, int y) const {
  if (finish_) {
    ElementwiseCall call;
    call.in = call.out = out.real_row(y);
    call.pixels = static_cast<size_t>(out_.shape.width);
    call.channels = call.all_channels = static_cast<size_t>(out_.shape.channels);
    call.a = factor_.data();
    call.b = shift_.data();
    finish_(call);
  } else {
    float* row = out.real_row(y);
    for (size_t i = 0; i < out_.shape.row(); ++i) row[i] /= divisor_;
  }
}

void SpatialStep::run(const Values& values, Rows rows) const {
  const Tensor& in = values[static_cast<size_t>(input_)];
  const Tensor& out = values[static_cast<size_t>(result_)];
  for (int y = rows.first; y < rows.last; ++y) {
    if (maximum_) {
      maximum_row(in, out, y);
      continue;
    }
    std::fill_n(out.real_row(y), out_.shape.row(), 0.0f);
    for (int row = 0; row < height_; ++row)
      for (int column = 0; column < width_; ++column) gather(in, out, y, row, column);
    end_row(out, y);
  }
}

}  // namespace lowbit::runtime
