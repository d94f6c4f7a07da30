#include "lowbit/runtime/check.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <initializer_list>
#include <limits>
#include <string>

#include "lowbit/core/error.h"
#include "lowbit/runtime/bits.h"

namespace lowbit::runtime {
namespace {

using packed::Kind;

constexpr int kMostResize = 1 << 15;
constexpr int kImageLevels = 256;

// What a plan holds at most, for accounting: of a step, its lists and parameters of constant size;
// of a kernel, the same, and a table where it gives so many channels. Weights are filled up to
// vectors of so many channels.
constexpr int64_t kStepBytes = 1 << 11, kKernelBytes = 1 << 12, kTableBytes = 1 << 18;
constexpr int64_t kFewestForTable = 9, kVectorChannels = 64, kBytesOfWeight = 4;

template <class T>
int64_t size_of(const flatbuffers::Vector<T>* vector) {
  return vector ? vector->size() : 0;
}

class Checker {
 public:
  Checker(const packed::Model& model, const Limits& limits) : model_(model), left_(limits) {}

  std::vector<ValueType> run() {
    require(model_.version() == 1, "it has version {}, this program reads version 1",
            model_.version());
    const int64_t steps = size_of(model_.steps());
    require(steps >= 1 && steps <= kMostSteps, "it has {} steps, not 1 to {}", steps, kMostSteps);
    require(size_of(model_.values()) == steps + 1, "it has {} steps and describes {} values", steps,
            size_of(model_.values()));
    check_image();
    for (step_ = 0; step_ < steps; ++step_) {
      const ValueType type = given_by(*model_.steps()->Get(static_cast<unsigned>(step_)));
      require(type == declared(step_ + 1), "what it gives is not what the program declares");
      add(type);
    }
    step_ = -1;
    check_result();
    spend_bytes(scratch_);
    return std::move(types_);
  }

 private:
  template <class... Args>
  void require(bool holds, fmt::format_string<Args...> format, Args&&... args) const {
    if (holds) return;
    const std::string what = fmt::format(format, std::forward<Args>(args)...);
    if (step_ < 0) throw core::usage_error("the packed network cannot be run: {}{}", whose_, what);
    const auto* value = model_.values()->Get(static_cast<unsigned>(step_ + 1));
    const std::string name = value->name() ? value->name()->str() : "";
    throw core::usage_error("the packed network cannot be run: step {}{}: {}", step_,
                            name.empty() ? "" : " (" + name + ")", what);
  }

  // A product of numbers that are not negative.
  int64_t product(std::initializer_list<int64_t> factors) const {
    int64_t result = 1;
    for (const int64_t factor : factors) {
      require(factor == 0 || result <= kMostNumbers / factor, "it has more than {} numbers",
              kMostNumbers);
      result *= factor;
    }
    return result;
  }

  void spend(int64_t& left, int64_t amount, const char* what) const {
    require(amount <= left, "it takes more {} than a program may", what);
    left -= amount;
  }
  void spend_bytes(int64_t amount) { spend(left_.bytes, amount, "memory"); }
  // So many times so many, which may be beyond 64 bits.
  void spend_bytes(int64_t amount, int64_t times) {
    require(times == 0 || amount <= left_.bytes / times, "it takes more memory than a program may");
    spend_bytes(amount * times);
  }
  void spend_operations(int64_t amount) { spend(left_.operations, amount, "time"); }

  void add(const ValueType& type) {
    const int64_t numbers = count(type.shape);
    spend_bytes(static_cast<int64_t>(aligned(type.bytes())) + kStepBytes);
    spend_operations(numbers);
    // A block of sums, of reals, and two tiles.
    needs_scratch(4 * std::max<int64_t>(static_cast<int64_t>(type.shape.row()), 1 << 15) *
                  int64_t{sizeof(float)});
    types_.push_back(type);
  }

  // The most of any step is paid for at the end: steps use the same.
  void needs_scratch(int64_t bytes) { scratch_ = std::max(scratch_, bytes); }

  // Of a value, whose sizes are checked.
  int64_t count(const Shape& shape) const {
    require(shape.height >= 1 && shape.width >= 1 && shape.channels >= 1,
            "a tensor of {} x {} x {}", shape.height, shape.width, shape.channels);
    require(
        shape.height <= kMostSide && shape.width <= kMostSide && shape.channels <= kMostChannels,
        "a tensor of {} x {} x {}: at most {} rows and columns and {} channels are allowed",
        shape.height, shape.width, shape.channels, kMostSide, kMostChannels);
    return product({shape.height, shape.width, shape.channels});
  }
  // Of height, width and channels that were not yet.
  Shape shape_of(int64_t height, int64_t width, int64_t channels) const {
    const int64_t most = std::max({height, width, channels});
    require(most <= kMostNumbers, "it has more than {} numbers", kMostNumbers);
    const Shape shape{static_cast<int>(height), static_cast<int>(width),
                      static_cast<int>(channels)};
    count(shape);
    return shape;
  }

  ValueType declared(int number) const {
    const packed::Value& value = *model_.values()->Get(static_cast<unsigned>(number));
    return {value.kind(), {value.height(), value.width(), value.channels()}, value.levels()};
  }

  void check_image() {
    const ValueType image = declared(0);
    require(image.kind == Kind::code && image.levels == kImageLevels,
            "its image is not one of bytes");
    whose_ = "its image: ";
    add(image);
    whose_ = "";
  }

  void check_result() const {
    const ValueType& logits = types_.back();
    require(logits.kind == Kind::real && logits.shape.pixels() == 1,
            "its last step gives no numbers by class");
    const int64_t classes = size_of(model_.classes());
    require(classes == 0 || classes == logits.shape.channels, "it has {} classes and names {}",
            logits.shape.channels, classes);
    const packed::Preprocessing* preprocessing = model_.preprocessing();
    require(
        !preprocessing || preprocessing->resize() == 0 ||
            (preprocessing->resize() >= std::max(types_[0].shape.height, types_[0].shape.width) &&
             preprocessing->resize() <= kMostResize),
        "pictures cannot be resized to {}", preprocessing ? preprocessing->resize() : 0);
  }

  // ---- what the operations have in common ----

  const ValueType& input(int number) const {
    require(number >= 0 && number <= step_, "it reads value {}, which is not computed before it",
            number);
    return types_[static_cast<size_t>(number)];
  }
  const ValueType& input(int number, Kind kind) const {
    const ValueType& type = input(number);
    require(type.kind == kind, "it reads {}", kind == Kind::real ? "codes" : "reals");
    return type;
  }
  // int32, and one more value that no sum has.
  static constexpr int64_t kMostSum = std::numeric_limits<int32_t>::max() - 1;

  static ValueType reals(const Shape& shape) { return {Kind::real, shape, 0}; }

  // A parameter: its length, which is paid for.
  template <class T>
  int64_t parameter(const flatbuffers::Vector<T>* vector) {
    spend_bytes(size_of(vector) * static_cast<int64_t>(sizeof(T)));
    return size_of(vector);
  }

  // Height and width after a window went over the image.
  Shape windowed(const Shape& in, const packed::Window* window, bool ceil) const {
    require(window, "it has no window");
    const int kernel = window->kernel(), stride = window->stride(), padding = window->padding();
    require(kernel >= 1 && stride >= 1 && padding >= 0 && padding < kernel,
            "a window of {} by steps of {} in a padding of {}", kernel, stride, padding);
    require(kernel <= kMostWindow && stride <= kMostWindow,
            "a window of {} by steps of {}: at most {} are allowed", kernel, stride, kMostWindow);
    const auto side = [&](int64_t length) {
      const int64_t rest = length + 2 * int64_t{padding} - kernel;
      require(rest >= 0, "a window of {} in an image of {} x {} with a padding of {}", kernel,
              in.height, in.width, padding);
      int64_t result = (rest + (ceil ? stride - 1 : 0)) / stride + 1;
      // Each window has a pixel of the image.
      if (ceil && (result - 1) * stride >= length + padding) --result;
      return static_cast<int>(result);
    };
    return {side(in.height), side(in.width), in.channels};
  }

  void check_groups(int groups, int channels) const {
    require(groups >= 1 && channels % groups == 0, "{} channels in {} groups", channels, groups);
  }

  // Numbers by channel.
  void check_channels(int64_t length, int channels, bool may_be_one, bool may_be_empty) const {
    require(length == channels || (may_be_one && length == 1) || (may_be_empty && length == 0),
            "{} numbers for {} channels", length, channels);
  }

  // ---- convolutions ----

  // Shape of the result and number of weights.
  template <class Conv>
  std::pair<Shape, int64_t> convolved(const Conv& conv, const Shape& in, int64_t out) {
    const Shape pixels = windowed(in, conv.window(), false);
    require(out >= 1, "it gives {} channels", out);
    const Shape shape = shape_of(pixels.height, pixels.width, out);
    check_groups(conv.groups(), in.channels);
    check_groups(conv.groups(), shape.channels);
    check_channels(parameter(conv.bias()), shape.channels, false, true);
    const int64_t side = conv.window()->kernel(),
                  each = side * side * (in.channels / conv.groups());
    require(each <= kMostInputs, "{} weights of an output channel: at most {} are allowed", each,
            kMostInputs);
    return {shape, product({out, each})};
  }

  // For each number of the result as many products as there are weights of its channel.
  void spend_products(const Shape& out, int64_t weights, int64_t times) {
    const int64_t each = weights / out.channels * times;
    require(each <= left_.operations / count(out), "it takes more time than a program may");
    spend_operations(each * count(out));
  }

  // The greatest size of an integer of the plane, or distance between two.
  int64_t check_code_plane(const packed::CodePlane& plane, const ValueType& in) {
    require(plane.first_channel() >= 0 && plane.channels() >= 1 &&
                plane.first_channel() <= in.shape.channels - plane.channels(),
            "channels from {} on, {} of them, of {}", plane.first_channel(), plane.channels(),
            in.shape.channels);
    const int64_t integers = parameter(plane.integers());
    if (integers == 0) {
      check_channels(parameter(plane.zero_points()), plane.channels(), false, false);
      return kImageLevels - 1;  // kernels take such codes for bytes of an image
    }
    require(integers >= in.levels && integers <= kMostLevels, "{} integers for {} levels", integers,
            in.levels);
    const auto [low, high] = std::ranges::minmax(*plane.integers());
    return std::max<int64_t>({-low, high, int64_t{high} - low});
  }

  // The greatest sum of the sizes of an output channel's integers.
  int64_t check_weight_plane(const packed::WeightPlane& plane, int64_t weights, int64_t each,
                             int64_t most_code) {
    spend_bytes(weights);
    if (size_of(plane.data()) == 0) return each;
    const int bits = plane.bits();
    require(bits >= 1 && bits <= 8, "weights of {} bits", bits);
    const int64_t bytes = static_cast<int64_t>(packed_bytes(static_cast<size_t>(weights), bits));
    require(parameter(plane.data()) == bytes, "{} bytes for {} weights of {} bits",
            size_of(plane.data()), weights, bits);
    const int64_t integers = parameter(plane.integers());
    require(integers > 0 || bits == 8, "weights of {} bits without their integers", bits);
    require(integers <= int64_t{1} << bits, "{} integers for {} bits", integers, bits);
    const std::span<const uint8_t> data(plane.data()->data(), plane.data()->size());
    // Codes that all have an integer need not be looked at.
    if (integers > 0 && integers < int64_t{1} << bits)
      for (int64_t i = 0; i < weights; ++i)
        require(unpack_bits(data, static_cast<size_t>(i), bits) < integers,
                "a weight whose code has no integer");
    std::array<int64_t, 256> sizes{};
    for (int64_t code = 0; code < int64_t{1} << bits; ++code)
      if (integers == 0)
        sizes[static_cast<size_t>(code)] = std::abs(int64_t{static_cast<int8_t>(code)});
      else if (code < integers)
        sizes[static_cast<size_t>(code)] =
            std::abs(int64_t{plane.integers()->Get(static_cast<unsigned>(code))});
    // Mostly the simple bound, of which each part is at its largest, says enough.
    const int64_t simple = std::ranges::max(sizes) * each;
    if (simple * most_code <= kMostSum) return simple;
    int64_t most = 0;
    for (int64_t first = 0; first < weights; first += each) {
      int64_t sum = 0;
      for (int64_t i = first; i < first + each; ++i)
        sum += sizes[unpack_bits(data, static_cast<size_t>(i), bits)];
      most = std::max(most, sum);
    }
    return most;
  }

  // Of all instruction sets' kernels for the pairs of planes.
  void spend_kernels(const packed::CodeConv& conv, const Shape& in, const Shape& out, int64_t each,
                     int64_t pairs) {
    const int64_t side = conv.window()->kernel(), border = 2 * int64_t{conv.window()->padding()};
    const int64_t height = in.height + border, width = in.width + border;
    require(width * in.channels <= kMostInReceptiveField / side,
            "{} numbers of the padded rows of a receptive field: at most {} are allowed",
            side * width * in.channels, kMostInReceptiveField);
    const bool depthwise = conv.groups() == in.channels && conv.groups() == out.channels;
    const int64_t groups = depthwise ? 1 : conv.groups();
    require(groups * pairs <= left_kernels_,
            "more than {} pairs of planes in groups of convolutions are not allowed", kMostKernels);
    left_kernels_ -= groups * pairs;
    const int64_t outs = out.channels / groups, vectors = outs + kVectorChannels;
    // Offsets by the taps of a window that are inside of the image.
    const int64_t most_taps = 2 * side + 1;
    const int64_t offsets =
        std::min<int64_t>(out.height, most_taps) * std::min<int64_t>(out.width, most_taps) +
        (side + 1) * (side + 1);
    const int64_t of_kernel =
        vectors * (each * kBytesOfWeight + offsets * int64_t{sizeof(int32_t)}) + kKernelBytes +
        (outs >= kFewestForTable ? kTableBytes : 0);
    spend_bytes(of_kernel, groups * pairs);
    spend_bytes(2 * out.channels * int64_t{sizeof(float)}, pairs);
    // The image as a kernel packs it, a group's part of it, and its sums.
    needs_scratch(height * width * (2 * in.channels + 4) + count(in) +
                  2 * count(out) * int64_t{sizeof(int32_t)});
  }

  ValueType give(const packed::CodeConv& conv) {
    const ValueType& in = input(conv.input(), Kind::code);
    const int64_t codes = size_of(conv.codes()), planes = size_of(conv.weights());
    require(
        codes >= 1 && planes >= 1 && codes <= kMostPlanePairs && codes * planes <= kMostPlanePairs,
        "{} planes of codes and {} of weights", codes, planes);
    const int64_t coefficients = parameter(conv.coefficients());
    require(coefficients % (codes * planes) == 0, "{} coefficients for {} pairs of planes",
            coefficients, codes * planes);
    const auto [shape, weights] = convolved(conv, in.shape, coefficients / (codes * planes));
    const int64_t each = weights / shape.channels;
    int64_t most_code = 1;
    for (const packed::CodePlane* plane : *conv.codes())
      most_code = std::max(most_code, check_code_plane(*plane, in));
    for (const packed::WeightPlane* plane : *conv.weights())
      require(check_weight_plane(*plane, weights, each, most_code) <= kMostSum / most_code,
              "its sums need more than 32 bits");
    spend_products(shape, weights, codes * planes);
    spend_kernels(conv, in.shape, shape, each, codes * planes);
    return reals(shape);
  }

  ValueType give(const packed::RealConv& conv) {
    const ValueType& in = input(conv.input(), Kind::real);
    require(conv.window() && conv.window()->kernel() >= 1 &&
                conv.window()->kernel() <= kMostWindow && conv.groups() >= 1,
            "it has no window of 1 to {} or no groups", kMostWindow);
    const int side = conv.window()->kernel();
    const int64_t each = product({side, side, in.shape.channels / conv.groups()});
    const int64_t all = parameter(conv.weight());
    require(each >= 1 && all % each == 0, "{} weights, which {} does not divide", all, each);
    const auto [shape, weights] = convolved(conv, in.shape, all / each);
    spend_products(shape, weights, 1);
    spend_bytes(weights * int64_t{sizeof(float)});
    spend_by_channel(shape);
    return reals(shape);
  }

  // A plan has two numbers for each channel where the program may have one for all.
  void spend_by_channel(const Shape& shape) {
    spend_bytes(2 * shape.channels * int64_t{sizeof(float)});
  }

  // ---- number by number ----

  ValueType give(const packed::Normalize& step) {
    const Shape& shape = input(step.input(), Kind::code).shape;
    check_channels(parameter(step.mean()), shape.channels, false, false);
    check_channels(parameter(step.std()), shape.channels, false, false);
    spend_by_channel(shape);
    return reals(shape);
  }

  ValueType give(const packed::Affine& step) {
    const Shape& shape = input(step.input(), Kind::real).shape;
    check_channels(parameter(step.factor()), shape.channels, true, true);
    check_channels(parameter(step.shift()), shape.channels, true, true);
    spend_by_channel(shape);
    return reals(shape);
  }

  ValueType give(const packed::Activation& step) {
    const Shape& shape = input(step.input(), Kind::real).shape;
    require(step.function() <= packed::Function::MAX, "an unknown function");
    const int64_t slopes = parameter(step.slope());
    if (step.function() == packed::Function::leaky)
      check_channels(slopes, shape.channels, true, false);
    spend_by_channel(shape);
    return reals(shape);
  }

  ValueType give(const packed::Binary& step) {
    const Shape& a = input(step.a(), Kind::real).shape;
    const Shape& b = input(step.b(), Kind::real).shape;
    require(step.arithmetic() <= packed::Arithmetic::MAX, "unknown arithmetic");
    const auto fits = [](int side, int of) { return side == of || side == 1; };
    require(fits(b.height, a.height) && fits(b.width, a.width) && fits(b.channels, a.channels),
            "{} x {} x {} cannot be repeated to {} x {} x {}", b.height, b.width, b.channels,
            a.height, a.width, a.channels);
    return reals(a);
  }

  ValueType give(const packed::Quantize& step) {
    const Shape& shape = input(step.input(), Kind::real).shape;
    check_groups(step.groups(), shape.channels);
    const int64_t thresholds = parameter(step.thresholds());
    const int64_t each = thresholds / step.groups();
    require(thresholds % step.groups() == 0 && each < kMostLevels, "{} thresholds in {} groups",
            thresholds, step.groups());
    const auto at = [&](int64_t i) { return step.thresholds()->Get(static_cast<unsigned>(i)); };
    for (int64_t i = 0; i < thresholds; ++i)
      require(i % each == 0 ? at(i) == at(i) : at(i - 1) <= at(i), "thresholds that do not ascend");
    // As the planner keeps them: by channel.
    spend_bytes(product({each, shape.channels}) * int64_t{sizeof(float)});
    spend_by_channel(shape);
    return {Kind::code, shape, static_cast<int>(each) + 1};
  }

  ValueType give(const packed::Dequantize& step) {
    const ValueType& in = input(step.input(), Kind::code);
    check_groups(step.groups(), in.shape.channels);
    const int64_t levels = parameter(step.levels());
    require(levels == int64_t{step.groups()} * in.levels, "{} levels in {} groups for {} codes",
            levels, step.groups(), in.levels);
    spend_bytes(levels * int64_t{sizeof(float)});  // its copy
    return reals(in.shape);
  }

  // ---- the rest ----

  ValueType give(const packed::Pool& step) {
    const ValueType& in = input(step.input());
    require(step.pooling() <= packed::Pooling::MAX, "an unknown pooling");
    require(in.kind == Kind::real || step.pooling() == packed::Pooling::maximum,
            "codes have no average");
    const Shape shape = windowed(in.shape, step.window(), step.ceil());
    const int64_t side = step.window()->kernel();
    spend_products(shape, side * side * shape.channels, 1);
    spend_by_channel(shape);
    return {in.kind, shape, in.levels};
  }

  ValueType give(const packed::Mean& step) {
    Shape shape = input(step.input(), Kind::real).shape;
    require(step.over_pixels() || step.over_channels(), "a mean over nothing");
    if (step.over_pixels()) shape.height = shape.width = 1;
    if (step.over_channels()) shape.channels = 1;
    spend_by_channel(shape);
    return reals(shape);
  }

  ValueType give(const packed::Rearrange& step) {
    using packed::Layout;
    const ValueType& in = input(step.input());
    const Shape& from = in.shape;
    const int64_t cell = step.cell();
    const bool uses_cell = step.layout() != Layout::slice && step.layout() != Layout::flatten;
    require(!uses_cell || (cell >= 1 && cell <= kMostWindow), "cells of {}: 1 to {} are allowed",
            cell, kMostWindow);
    const auto shaped = [&](int64_t height, int64_t width, int64_t channels) {
      return ValueType{in.kind, shape_of(height, width, channels), in.levels};
    };
    switch (step.layout()) {
      case Layout::space_to_depth:
        require(from.height % cell == 0 && from.width % cell == 0, "cells of {} in {} x {}", cell,
                from.height, from.width);
        return shaped(from.height / cell, from.width / cell, from.channels * cell * cell);
      case Layout::depth_to_space:
        require(from.channels % (cell * cell) == 0, "cells of {} from {} channels", cell,
                from.channels);
        return shaped(from.height * cell, from.width * cell, from.channels / (cell * cell));
      case Layout::repeat:
        return shaped(from.height, from.width, from.channels * cell);
      case Layout::pad:
        require(in.kind == Kind::real, "codes cannot be padded");
        return shaped(from.height + 2 * cell, from.width + 2 * cell, from.channels);
      case Layout::slice: {
        const int64_t channels = declared(step_ + 1).shape.channels;
        require(step.first() >= 0 && channels >= 1 && step.first() <= from.channels - channels,
                "channels from {} on, {} of them, of {}", step.first(), channels, from.channels);
        return shaped(from.height, from.width, channels);
      }
      case Layout::flatten:
        return shaped(1, 1, count(from));
    }
    require(false, "an unknown layout");
    return in;
  }

  ValueType give(const packed::Concatenate& step) {
    const int64_t inputs = parameter(step.inputs());
    require(inputs >= 1, "nothing to put side by side");
    spend_bytes(inputs * int64_t{2 * sizeof(int)});  // in lists of what reads a value
    ValueType result = input(step.inputs()->Get(0));
    int64_t channels = 0;
    for (const int number : *step.inputs()) {
      const ValueType& in = input(number);
      require(in.kind == result.kind && in.shape.height == result.shape.height &&
                  in.shape.width == result.shape.width,
              "tensors that do not fit side by side");
      channels += in.shape.channels;
      result.levels = std::max(result.levels, in.levels);
    }
    result.shape = shape_of(result.shape.height, result.shape.width, channels);
    return result;
  }

  ValueType given_by(const packed::Step& step) {
    using packed::Operation;
    require(step.operation(), "it does nothing");
    switch (step.operation_type()) {
      case Operation::CodeConv:
        return give(*step.operation_as_CodeConv());
      case Operation::RealConv:
        return give(*step.operation_as_RealConv());
      case Operation::Normalize:
        return give(*step.operation_as_Normalize());
      case Operation::Affine:
        return give(*step.operation_as_Affine());
      case Operation::Activation:
        return give(*step.operation_as_Activation());
      case Operation::Binary:
        return give(*step.operation_as_Binary());
      case Operation::Quantize:
        return give(*step.operation_as_Quantize());
      case Operation::Dequantize:
        return give(*step.operation_as_Dequantize());
      case Operation::Pool:
        return give(*step.operation_as_Pool());
      case Operation::Mean:
        return give(*step.operation_as_Mean());
      case Operation::Rearrange:
        return give(*step.operation_as_Rearrange());
      case Operation::Concatenate:
        return give(*step.operation_as_Concatenate());
      case Operation::NONE:
        break;
    }
    require(false, "an unknown operation");
    return {};
  }

  const packed::Model& model_;
  Limits left_;
  int64_t left_kernels_ = kMostKernels, scratch_ = 0;
  int step_ = -1;
  const char* whose_ = "";  // fault it is where no step is checked
  std::vector<ValueType> types_;
};

}  // namespace

std::vector<ValueType> check(const packed::Model& model, const Limits& limits) {
  return Checker(model, limits).run();
}

std::vector<int> inputs_of(const packed::Step& step) {
  using packed::Operation;
  switch (step.operation_type()) {
    case Operation::CodeConv:
      return {step.operation_as_CodeConv()->input()};
    case Operation::RealConv:
      return {step.operation_as_RealConv()->input()};
    case Operation::Normalize:
      return {step.operation_as_Normalize()->input()};
    case Operation::Affine:
      return {step.operation_as_Affine()->input()};
    case Operation::Activation:
      return {step.operation_as_Activation()->input()};
    case Operation::Binary:
      return {step.operation_as_Binary()->a(), step.operation_as_Binary()->b()};
    case Operation::Quantize:
      return {step.operation_as_Quantize()->input()};
    case Operation::Dequantize:
      return {step.operation_as_Dequantize()->input()};
    case Operation::Pool:
      return {step.operation_as_Pool()->input()};
    case Operation::Mean:
      return {step.operation_as_Mean()->input()};
    case Operation::Rearrange:
      return {step.operation_as_Rearrange()->input()};
    case Operation::Concatenate: {
      const auto& inputs = *step.operation_as_Concatenate()->inputs();
      return {inputs.begin(), inputs.end()};
    }
    case Operation::NONE:
      break;
  }
  return {};
}

}  // namespace lowbit::runtime
