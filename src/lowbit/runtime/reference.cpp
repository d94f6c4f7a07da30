#include "lowbit/runtime/reference.h"

#include <algorithm>
#include <cstring>

#include "lowbit/runtime/formulas.h"

namespace lowbit::runtime {
namespace {

template <class T>
T at(const flatbuffers::Vector<T>* vector, size_t i) {
  return vector->Get(static_cast<flatbuffers::uoffset_t>(i));
}

// The number of a channel: one may stand for all, and none for `otherwise`.
float of_channel(const flatbuffers::Vector<float>* numbers, size_t channel, float otherwise) {
  if (!numbers || numbers->size() == 0) return otherwise;
  return at(numbers, numbers->size() == 1 ? 0 : channel);
}

// For each pixel of the rows and each channel: body(y, x, channel).
template <class Body>
void for_each_number(const Tensor& out, Rows rows, Body body) {
  for (int y = rows.first; y < rows.last; ++y)
    for (int x = 0; x < out.type.shape.width; ++x)
      for (int c = 0; c < out.type.shape.channels; ++c) body(y, x, c);
}

size_t place(const Shape& shape, int y, int x, int c) {
  return (static_cast<size_t>(y) * static_cast<size_t>(shape.width) + static_cast<size_t>(x)) *
             static_cast<size_t>(shape.channels) +
         static_cast<size_t>(c);
}

// For each pixel in the receptive field of output pixel (y, x): body(row, column, inside, input_y,
// input_x).
template <class Body>
void for_each_tap(const packed::Window& window, const Shape& in, int y, int x, Body body) {
  const int kernel = window.kernel();
  const int64_t first_y = int64_t{y} * window.stride() - window.padding();
  const int64_t first_x = int64_t{x} * window.stride() - window.padding();
  for (int row = 0; row < kernel; ++row)
    for (int column = 0; column < kernel; ++column) {
      const int64_t from_y = first_y + row, from_x = first_x + column;
      const bool inside = from_y >= 0 && from_y < in.height && from_x >= 0 && from_x < in.width;
      body(row, column, inside, static_cast<int>(from_y), static_cast<int>(from_x));
    }
}

// What codes stand for in a plane; 0 outside of its channels. Fields of the file are read once:
// that is most of the time of a sum else.
class CodeIntegers {
 public:
  explicit CodeIntegers(const packed::CodePlane& plane)
      : first_(plane.first_channel()), channels_(plane.channels()) {
    if (plane.integers() && plane.integers()->size() > 0)
      integers_ = plane.integers()->data();
    else
      zero_points_ = plane.zero_points()->data();
  }
  int of(int channel, uint8_t code) const {
    const int inside = channel - first_;
    if (inside < 0 || inside >= channels_) return 0;
    return integers_ ? integers_[code] : code - zero_points_[inside];
  }

 private:
  int first_, channels_;
  const int8_t* integers_ = nullptr;
  const uint8_t* zero_points_ = nullptr;
};

// Where the weights of an output channel that meet a pixel of the receptive field begin.
size_t weight_place(int c, int row, int column, int kernel, int channels) {
  return ((static_cast<size_t>(c) * static_cast<size_t>(kernel) + static_cast<size_t>(row)) *
              static_cast<size_t>(kernel) +
          static_cast<size_t>(column)) *
         static_cast<size_t>(channels);
}

// What a convolution's loops need of its fields.
struct ConvShape {
  ConvShape(const packed::Window& of, int groups, const Tensor& in, const Tensor& out)
      : window(of),
        kernel(of.kernel()),
        channels(in.type.shape.channels / groups),
        out_channels(out.type.shape.channels / groups) {}

  // The first input channel that output channel c sees.
  int first_channel(int c) const { return c / out_channels * channels; }

  const packed::Window& window;
  int kernel, channels, out_channels;  // channels of a group
};

int32_t sum_of_products(const ConvShape& conv, const CodeIntegers& integers,
                        const std::vector<int8_t>& weights, const Tensor& in, int y, int x, int c) {
  const int first = conv.first_channel(c);
  int32_t sum = 0;
  for_each_tap(conv.window, in.type.shape, y, x,
               [&](int row, int column, bool inside, int from_y, int from_x) {
                 if (!inside) return;
                 const uint8_t* codes = in.codes() + place(in.type.shape, from_y, from_x, first);
                 const int8_t* weight =
                     weights.data() + weight_place(c, row, column, conv.kernel, conv.channels);
                 for (int i = 0; i < conv.channels; ++i)
                   sum += integers.of(first + i, codes[i]) * weight[i];
               });
  return sum;
}

void run(const packed::CodeConv& conv, const Weights& weights, const Tensor& in, const Tensor& out,
         Rows rows) {
  const size_t channels = static_cast<size_t>(out.type.shape.channels);
  const ConvShape shape(*conv.window(), conv.groups(), in, out);
  for_each_number(out, rows, [&](int y, int x, int c) {
    float result = 0;
    size_t pair = 0;
    for (const packed::CodePlane* plane : *conv.codes()) {
      const CodeIntegers integers(*plane);
      for (const std::vector<int8_t>& plane_weights : weights) {
        const int32_t sum = sum_of_products(shape, integers, plane_weights, in, y, x, c);
        const float part = formulas::scaled(
            sum, at(conv.coefficients(), pair * channels + static_cast<size_t>(c)));
        result = pair == 0 ? part : result + part;
        ++pair;
      }
    }
    out.reals()[place(out.type.shape, y, x, c)] =
        result + of_channel(conv.bias(), static_cast<size_t>(c), formulas::kNoShift);
  });
}

void run(const packed::RealConv& conv, const Tensor& in, const Tensor& out, Rows rows) {
  const ConvShape shape(*conv.window(), conv.groups(), in, out);
  const float* weights = conv.weight()->data();
  for_each_number(out, rows, [&](int y, int x, int c) {
    const int first = shape.first_channel(c);
    float sum = 0;
    for_each_tap(shape.window, in.type.shape, y, x,
                 [&](int row, int column, bool inside, int from_y, int from_x) {
                   if (!inside) return;
                   const float* from = in.reals() + place(in.type.shape, from_y, from_x, first);
                   const float* weight =
                       weights + weight_place(c, row, column, shape.kernel, shape.channels);
                   for (int i = 0; i < shape.channels; ++i)
                     sum = formulas::plus_product(sum, from[i], weight[i]);
                 });
    out.reals()[place(out.type.shape, y, x, c)] =
        sum + of_channel(conv.bias(), static_cast<size_t>(c), formulas::kNoShift);
  });
}

void run(const packed::Normalize& step, const Tensor& in, const Tensor& out, Rows rows) {
  for_each_number(out, rows, [&](int y, int x, int c) {
    const size_t i = place(out.type.shape, y, x, c), channel = static_cast<size_t>(c);
    out.reals()[i] =
        formulas::normalized(in.codes()[i], at(step.mean(), channel), at(step.std(), channel));
  });
}

void run(const packed::Affine& step, const Tensor& in, const Tensor& out, Rows rows) {
  for_each_number(out, rows, [&](int y, int x, int c) {
    const size_t i = place(out.type.shape, y, x, c), channel = static_cast<size_t>(c);
    out.reals()[i] =
        formulas::affine(in.reals()[i], of_channel(step.factor(), channel, formulas::kNoFactor),
                         of_channel(step.shift(), channel, formulas::kNoShift));
  });
}

float value_of(const packed::Activation& step, float x, size_t channel) {
  switch (step.function()) {
    case packed::Function::relu:
      return formulas::relu(x);
    case packed::Function::clamp:
      return formulas::clamp(x, step.low(), step.high());
    case packed::Function::leaky:
      return formulas::leaky(x, of_channel(step.slope(), channel, 0));
    case packed::Function::absolute:
      return formulas::absolute(x);
    case packed::Function::divide_root:
      return formulas::divide_root(x, step.low());
  }
  return x;
}

void run(const packed::Activation& step, const Tensor& in, const Tensor& out, Rows rows) {
  for_each_number(out, rows, [&](int y, int x, int c) {
    const size_t i = place(out.type.shape, y, x, c);
    out.reals()[i] = value_of(step, in.reals()[i], static_cast<size_t>(c));
  });
}

float value_of(packed::Arithmetic arithmetic, float a, float b) {
  switch (arithmetic) {
    case packed::Arithmetic::add:
      return a + b;
    case packed::Arithmetic::subtract:
      return a - b;
    case packed::Arithmetic::multiply:
      return a * b;
    case packed::Arithmetic::divide:
      return a / b;
  }
  return a;
}

void run(const packed::Binary& step, const Tensor& a, const Tensor& b, const Tensor& out,
         Rows rows) {
  const Shape& repeated = b.type.shape;
  for_each_number(out, rows, [&](int y, int x, int c) {
    const size_t from = place(repeated, repeated.height == 1 ? 0 : y, repeated.width == 1 ? 0 : x,
                              repeated.channels == 1 ? 0 : c);
    const size_t i = place(out.type.shape, y, x, c);
    out.reals()[i] = value_of(step.arithmetic(), a.reals()[i], b.reals()[from]);
  });
}

void run(const packed::Quantize& step, const Tensor& in, const Tensor& out, Rows rows) {
  const int per_group = out.type.shape.channels / step.groups();
  const size_t thresholds = static_cast<size_t>(out.type.levels) - 1;
  for_each_number(out, rows, [&](int y, int x, int c) {
    const size_t i = place(out.type.shape, y, x, c);
    const size_t first = static_cast<size_t>(c / per_group) * thresholds;
    int code = 0;
    for (size_t t = 0; t < thresholds; ++t)
      code += at(step.thresholds(), first + t) <= in.reals()[i] ? 1 : 0;
    out.codes()[i] = static_cast<uint8_t>(code);
  });
}

void run(const packed::Dequantize& step, const Tensor& in, const Tensor& out, Rows rows) {
  const int per_group = out.type.shape.channels / step.groups();
  for_each_number(out, rows, [&](int y, int x, int c) {
    const size_t i = place(out.type.shape, y, x, c);
    const size_t first = static_cast<size_t>(c / per_group) * static_cast<size_t>(in.type.levels);
    out.reals()[i] = at(step.levels(), first + in.codes()[i]);
  });
}

template <class T>
T maximum(const packed::Window& window, const Shape& in, const T* from, int y, int x, int c) {
  bool any = false;
  T result = 0;
  for_each_tap(window, in, y, x, [&](int, int, bool inside, int from_y, int from_x) {
    if (!inside) return;
    const T value = from[place(in, from_y, from_x, c)];
    if (!any || result < value) result = value;
    any = true;
  });
  return result;
}

float average(const packed::Window& window, const Shape& in, const float* from, int y, int x,
              int c) {
  float sum = 0;
  for_each_tap(window, in, y, x, [&](int, int, bool inside, int from_y, int from_x) {
    sum += inside ? from[place(in, from_y, from_x, c)] : 0;
  });
  return sum * formulas::average_factor(window.kernel());
}

void run(const packed::Pool& step, const Tensor& in, const Tensor& out, Rows rows) {
  const packed::Window& window = *step.window();
  const Shape& shape = in.type.shape;
  for_each_number(out, rows, [&](int y, int x, int c) {
    const size_t i = place(out.type.shape, y, x, c);
    if (in.type.kind == packed::Kind::code)
      out.codes()[i] = maximum(window, shape, in.codes(), y, x, c);
    else if (step.pooling() == packed::Pooling::maximum)
      out.reals()[i] = maximum(window, shape, in.reals(), y, x, c);
    else
      out.reals()[i] = average(window, shape, in.reals(), y, x, c);
  });
}

void run(const packed::Mean& step, const Tensor& in, const Tensor& out, Rows rows) {
  const Shape& from = in.type.shape;
  for_each_number(out, rows, [&](int y, int x, int c) {
    const int height = step.over_pixels() ? from.height : 1;
    const int width = step.over_pixels() ? from.width : 1;
    const int channels = step.over_channels() ? from.channels : 1;
    float sum = 0;
    for (int row = 0; row < height; ++row)
      for (int column = 0; column < width; ++column)
        for (int channel = 0; channel < channels; ++channel)
          sum += in.reals()[place(from, y + row, x + column, c + channel)];
    out.reals()[place(out.type.shape, y, x, c)] =
        sum / static_cast<float>(Shape{height, width, channels}.count());
  });
}

// Where the number at (y, x, c) of the result comes from; false: it is a zero.
bool source(const packed::Rearrange& step, const Shape& in, const Shape& out, int y, int x, int c,
            size_t& from) {
  const int cell = step.cell();
  switch (step.layout()) {
    case packed::Layout::space_to_depth: {
      const int row = c / cell % cell, column = c % cell;
      from = place(in, y * cell + row, x * cell + column, c / (cell * cell));
      return true;
    }
    case packed::Layout::depth_to_space:
      from = place(in, y / cell, x / cell, (c * cell + y % cell) * cell + x % cell);
      return true;
    case packed::Layout::repeat:
      from = place(in, y, x, c % in.channels);
      return true;
    case packed::Layout::pad: {
      const int row = y - cell, column = x - cell;
      if (row < 0 || row >= in.height || column < 0 || column >= in.width) return false;
      from = place(in, row, column, c);
      return true;
    }
    case packed::Layout::slice:
      from = place(in, y, x, c + step.first());
      return true;
    case packed::Layout::flatten:
      from = static_cast<size_t>(c);
      return true;
  }
  return false;
}

void run(const packed::Rearrange& step, const Tensor& in, const Tensor& out, Rows rows) {
  for_each_number(out, rows, [&](int y, int x, int c) {
    const size_t i = place(out.type.shape, y, x, c);
    size_t from = 0;
    const bool inside = source(step, in.type.shape, out.type.shape, y, x, c, from);
    if (in.type.kind == packed::Kind::code)
      out.codes()[i] = in.codes()[from];
    else
      out.reals()[i] = inside ? in.reals()[from] : 0;
  });
}

void run(const packed::Concatenate& step, std::span<const Tensor> values, const Tensor& out,
         Rows rows) {
  int first = 0;
  for (const int number : *step.inputs()) {
    const Tensor& in = values[static_cast<size_t>(number)];
    const size_t size = in.type.element_bytes();
    const size_t bytes = static_cast<size_t>(in.type.shape.channels) * size;
    for (int y = rows.first; y < rows.last; ++y)
      for (int x = 0; x < out.type.shape.width; ++x)
        std::memcpy(static_cast<char*>(out.data) + place(out.type.shape, y, x, first) * size,
                    static_cast<const char*>(in.data) + place(in.type.shape, y, x, 0) * size,
                    bytes);
    first += in.type.shape.channels;
  }
}

}  // namespace

void run_step(const Network& network, int step, const Weights& weights,
              std::span<const Tensor> values, Rows rows) {
  using packed::Operation;
  const packed::Step& what = network.step(step);
  const Tensor& out = values[static_cast<size_t>(step) + 1];
  const auto in = [&](int number) -> const Tensor& { return values[static_cast<size_t>(number)]; };
  const auto simple = [&](const auto* operation) {
    run(*operation, in(operation->input()), out, rows);
  };
  switch (what.operation_type()) {
    case Operation::CodeConv: {
      const packed::CodeConv& conv = *what.operation_as_CodeConv();
      return run(conv, weights, in(conv.input()), out, rows);
    }
    case Operation::Binary: {
      const packed::Binary& binary = *what.operation_as_Binary();
      return run(binary, in(binary.a()), in(binary.b()), out, rows);
    }
    case Operation::Concatenate:
      return run(*what.operation_as_Concatenate(), values, out, rows);
    case Operation::RealConv:
      return simple(what.operation_as_RealConv());
    case Operation::Normalize:
      return simple(what.operation_as_Normalize());
    case Operation::Affine:
      return simple(what.operation_as_Affine());
    case Operation::Activation:
      return simple(what.operation_as_Activation());
    case Operation::Quantize:
      return simple(what.operation_as_Quantize());
    case Operation::Dequantize:
      return simple(what.operation_as_Dequantize());
    case Operation::Pool:
      return simple(what.operation_as_Pool());
    case Operation::Mean:
      return simple(what.operation_as_Mean());
    case Operation::Rearrange:
      return simple(what.operation_as_Rearrange());
    case Operation::NONE:
      break;
  }
}

}  // namespace lowbit::runtime
