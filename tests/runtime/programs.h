// Small packed networks for tests: built step by step, and at random over all operations.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "lowbit/runtime/bits.h"
#include "lowbit/runtime/container.h"
#include "lowbit/runtime/kernels/instruction_set.h"
#include "lowbit/runtime/network.h"
#include "lowbit/runtime/session.h"

namespace lowbit::runtime {

// Tests of many programs or steps do this part of them: an emulator takes twenty times as long.
#ifdef LOWBIT_EMULATED
constexpr int kPart = 10;
#else
constexpr int kPart = 1;
#endif

// A program that grows. Each function gives the number of the new value.
class Program {
 public:
  Program(int height, int width, int channels) {
    model.version = 1;
    model.network = "made up";
    declare(packed::Kind::code, {height, width, channels}, 256);
  }

  const packed::ValueT& value(int number) const {
    return *model.values[static_cast<size_t>(number)];
  }
  Shape shape(int number) const {
    return {value(number).height, value(number).width, value(number).channels};
  }
  int last() const { return static_cast<int>(model.steps.size()); }

  template <class Operation>
  int add(Operation operation, Shape shape, int levels = 0) {
    auto step = std::make_unique<packed::StepT>();
    step->operation.Set(std::move(operation));
    model.steps.push_back(std::move(step));
    declare(levels ? packed::Kind::code : packed::Kind::real, shape, levels);
    return last();
  }

  // The bytes of a file, aligned as a reader needs them.
  struct File {
    explicit File(const std::vector<uint8_t>& from) : bytes(from.size()), size(from.size()) {
      std::copy(from.begin(), from.end(), reinterpret_cast<uint8_t*>(bytes.data()));
    }
    std::span<const uint8_t> span() const {
      return {reinterpret_cast<const uint8_t*>(bytes.data()), size};
    }
    AlignedBytes bytes;
    size_t size;
  };
  File file() const { return File(seal(model)); }

  packed::ModelT model;

 private:
  void declare(packed::Kind kind, Shape shape, int levels) {
    auto value = std::make_unique<packed::ValueT>();
    value->kind = kind;
    value->height = shape.height;
    value->width = shape.width;
    value->channels = shape.channels;
    value->levels = levels;
    value->name = "value" + std::to_string(model.values.size());
    model.values.push_back(std::move(value));
  }
};

inline std::unique_ptr<packed::Window> window(int kernel, int stride = 1, int padding = 0) {
  return std::make_unique<packed::Window>(kernel, stride, padding);
}

// Random numbers in the sizes that programs need.
class Draw {
 public:
  explicit Draw(uint32_t seed) : engine_(seed) {}

  int integer(int low, int high) { return std::uniform_int_distribution<int>(low, high)(engine_); }
  bool chance(double share) { return std::bernoulli_distribution(share)(engine_); }
  float real(float low = -2, float high = 2) {
    return std::uniform_real_distribution<float>(low, high)(engine_);
  }
  template <class T>
  const T& of(const std::vector<T>& choices) {
    return choices[static_cast<size_t>(integer(0, static_cast<int>(choices.size()) - 1))];
  }
  std::vector<float> reals(size_t count, float low = -2, float high = 2) {
    std::vector<float> result(count);
    for (float& x : result) x = real(low, high);
    return result;
  }
  std::vector<int8_t> bytes(size_t count, int low, int high) {
    std::vector<int8_t> result(count);
    for (int8_t& x : result) x = static_cast<int8_t>(integer(low, high));
    return result;
  }
  std::vector<uint8_t> codes(size_t count, int levels) {
    std::vector<uint8_t> result(count);
    for (uint8_t& x : result) x = static_cast<uint8_t>(integer(0, levels - 1));
    return result;
  }
  std::vector<float> ascending(size_t count, float low = -2, float high = 2) {
    std::vector<float> result = reals(count, low, high);
    std::sort(result.begin(), result.end());
    return result;
  }

 private:
  std::mt19937 engine_;
};

inline std::unique_ptr<packed::WeightPlaneT> weight_plane(Draw& draw, size_t count) {
  auto plane = std::make_unique<packed::WeightPlaneT>();
  const int bits = draw.integer(0, 4) * 2;
  if (bits == 0) return plane;
  const bool plain = bits == 8 && draw.chance(0.5);
  const int named = plain ? 256 : draw.integer(1, std::min(1 << bits, 16));
  plane->bits = static_cast<uint8_t>(bits);
  plane->data = pack_bits(draw.codes(count, named), bits);
  if (!plain) plane->integers = draw.bytes(static_cast<size_t>(named), -8, 7);
  return plane;
}

// The codes stand for integers, or of the image for their distance to a zero point.
inline std::unique_ptr<packed::CodePlaneT> code_plane(Draw& draw, int levels, int first,
                                                      int channels) {
  auto plane = std::make_unique<packed::CodePlaneT>();
  plane->first_channel = first;
  plane->channels = channels;
  if (levels > 16 || draw.chance(0.2))
    plane->zero_points = draw.codes(static_cast<size_t>(channels), levels);
  else
    plane->integers = draw.bytes(static_cast<size_t>(levels), -8, 7);
  return plane;
}

// A convolution of random codes, weights and coefficients. planes: of codes and of weights.
inline int add_code_conv(Program& program, Draw& draw, int input, int out, int kernel, int stride,
                         int padding, int groups, int code_planes = 1, int weight_planes = 1) {
  const Shape in = program.shape(input);
  packed::CodeConvT conv;
  conv.input = input;
  conv.window = window(kernel, stride, padding);
  conv.groups = groups;
  for (int i = 0; i < code_planes; ++i) {
    const bool whole = code_planes == 1 || in.channels == 1;
    const int first = whole ? 0 : draw.integer(0, in.channels - 1);
    const int channels = whole ? in.channels : draw.integer(1, in.channels - first);
    conv.codes.push_back(code_plane(draw, program.value(input).levels, first, channels));
  }
  const size_t count = static_cast<size_t>(out * kernel * kernel * (in.channels / groups));
  for (int i = 0; i < weight_planes; ++i) conv.weights.push_back(weight_plane(draw, count));
  conv.coefficients =
      draw.reals(static_cast<size_t>(code_planes * weight_planes * out), -0.1f, 0.1f);
  if (draw.chance(0.2)) conv.coefficients[0] = 0;
  if (draw.chance(0.7)) conv.bias = draw.reals(static_cast<size_t>(out));
  return program.add(std::move(conv), {(in.height + 2 * padding - kernel) / stride + 1,
                                       (in.width + 2 * padding - kernel) / stride + 1, out});
}

inline int add_affine(Program& program, int input, std::vector<float> factor,
                      std::vector<float> shift) {
  packed::AffineT affine;
  affine.input = input;
  affine.factor = std::move(factor);
  affine.shift = std::move(shift);
  return program.add(std::move(affine), program.shape(input));
}

inline int add_quantize(Program& program, int input, int groups, std::vector<float> thresholds) {
  packed::QuantizeT quantize;
  quantize.input = input;
  quantize.groups = groups;
  quantize.thresholds = std::move(thresholds);
  const int levels = static_cast<int>(quantize.thresholds.size()) / groups + 1;
  return program.add(std::move(quantize), program.shape(input), levels);
}

// The mean of each channel, as the logits.
inline int add_mean(Program& program, int input) {
  packed::MeanT mean;
  mean.input = input;
  mean.over_pixels = true;
  return program.add(std::move(mean), {1, 1, program.shape(input).channels});
}

// A program of about `steps` steps over all operations that ends in logits. extremes: it is very
// tall, wide or deep, or has large windows, or many planes.
Program random_program(uint32_t seed, int steps, bool extremes = false);

// A residual network of the shape of ResNet-18 (widths 64, 128, 256, 512, two blocks each, a stem
// with a pool) or, without the stem's stride and pool, of ResNet-20, with random weights: codes and
// weights of `bits` bits but for the first and the last layer, which have 8.
struct ResidualShape {
  int side = 224, classes = 1000, bits = 4, blocks = 2;
  std::vector<int> widths{64, 128, 256, 512};
  bool stem = true;
};
Program residual_program(const ResidualShape& shape, uint32_t seed = 1);

// All values that come to stand in memory during a run, by number; empty where none did.
std::vector<std::vector<uint8_t>> values_of(const Network& network, const Plan& plan, int threads,
                                            const std::vector<uint8_t>& image);

// The instruction sets of this machine but "reference".
std::vector<InstructionSet> isas();

// How the program differs between the plain loops and an instruction set with some of the numbers
// of threads, in a value or in the logits; "" if it does not. Throws what opening it throws.
std::string difference_of(const Program& program, uint32_t seed, const std::vector<int>& threads);

}  // namespace lowbit::runtime
