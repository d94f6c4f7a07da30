#include "programs.h"

#include <algorithm>
#include <cstring>

namespace lowbit::runtime {
namespace {

using packed::Kind;

// What is extreme in a program.
enum class Extreme { nothing, tall, wide, deep, windows, planes };

// In plain loops, such a convolution takes some hundredths of a second.
constexpr size_t kMostProducts = 5'000'000;

Program image_of(Draw& draw, Extreme extreme) {
  switch (extreme) {
    case Extreme::tall:
      return Program{draw.integer(1 << 14, 40'000), draw.integer(1, 2), 1};
    case Extreme::wide:
      return Program{draw.integer(1, 2), draw.integer(1 << 14, 40'000), 1};
    case Extreme::deep:
      return Program{1, 1, draw.integer(1 << 16, 110'000)};
    case Extreme::windows:
      return Program{draw.integer(65, 100), draw.integer(65, 100), 1};
    default:
      return Program{draw.integer(4, 12), draw.integer(4, 12), draw.of<int>({1, 3})};
  }
}

class Random {
 public:
  Random(uint32_t seed, bool extremes)
      : draw_(seed),
        extreme_(extremes ? static_cast<Extreme>(draw_.integer(1, 5)) : Extreme::nothing),
        program_(image_of(draw_, extreme_)) {}

  Program grow(int steps) {
    while (program_.last() < steps) add_step();
    add_mean(program_, some(Kind::real));
    return std::move(program_);
  }

 private:
  // Values that are not too large to go on from; the latest most often, so that chains come about.
  int some(Kind kind) {
    const size_t most = extreme_ == Extreme::nothing ? 20'000 : 120'000;
    std::vector<int> found;
    for (int number = 0; number <= program_.last(); ++number)
      if (program_.value(number).kind == kind && program_.shape(number).count() <= most)
        found.push_back(number);
    if (found.empty()) return kind == Kind::code ? 0 : normalize();
    return draw_.chance(0.6) ? found.back() : draw_.of(found);
  }

  // The side of a window in an image: now and then it is as large as the image, where windows are.
  int kernel_in(const Shape& in) {
    const int side = std::min(in.height, in.width);
    if (extreme_ == Extreme::windows && draw_.chance(0.5)) return draw_.integer(1, side);
    return draw_.integer(1, std::min(3, side));
  }
  int stride() {
    return draw_.integer(1, extreme_ == Extreme::windows && draw_.chance(0.5) ? 80 : 2);
  }
  // As many channels as the most that a convolution of windows has time for.
  int affordable(int out, const Shape& in, int kernel, int stride, int padding, int groups) {
    const size_t windows = static_cast<size_t>((in.height + 2 * padding - kernel) / stride + 1) *
                           static_cast<size_t>((in.width + 2 * padding - kernel) / stride + 1);
    const size_t each = windows * static_cast<size_t>(kernel * kernel * (in.channels / groups));
    return std::max(std::min(out / groups, static_cast<int>(kMostProducts / each) / groups), 1) *
           groups;
  }
  bool too_many(const Shape& in, int kernel, int stride, int padding) {
    const size_t windows = static_cast<size_t>((in.height + 2 * padding - kernel) / stride + 1) *
                           static_cast<size_t>((in.width + 2 * padding - kernel) / stride + 1);
    return windows * static_cast<size_t>(kernel * kernel * in.channels) > 4 * kMostProducts;
  }

  // Of many channels: few groups, or where `each` is allowed, one for each.
  int divisor(int number, bool each = false) {
    constexpr int kMany = 1000, kFew = 64;
    std::vector<int> found;
    for (int i = 1; i <= number; ++i)
      if (number % i == 0 && (number < kMany || i <= kFew || (each && i == number)))
        found.push_back(i);
    return draw_.of(found);
  }

  std::vector<float> by_channel(int channels, bool may_be_empty) {
    const int form = draw_.integer(may_be_empty ? 0 : 1, 2);
    if (form == 0) return {};
    return draw_.reals(static_cast<size_t>(form == 1 ? 1 : channels));
  }

  int normalize() {
    packed::NormalizeT normalize;
    normalize.input = some(Kind::code);
    const Shape shape = program_.shape(normalize.input);
    normalize.mean = draw_.reals(static_cast<size_t>(shape.channels), 0, 1);
    normalize.std = draw_.reals(static_cast<size_t>(shape.channels));
    return program_.add(std::move(normalize), shape);
  }

  void code_conv() {
    const int input = some(Kind::code);
    const Shape in = program_.shape(input);
    const int kernel = kernel_in(in), groups = divisor(in.channels, true), steps = stride(),
              padding = draw_.integer(0, std::min(kernel - 1, 3));
    if (too_many(in, kernel, steps, padding)) return;
    const int out =
        affordable(groups * draw_.integer(1, 40 / groups + 1), in, kernel, steps, padding, groups);
    const int most_planes = extreme_ == Extreme::planes ? 6 : 2;
    const auto planes = [&] { return draw_.chance(0.3) ? draw_.integer(2, most_planes) : 1; };
    const int of_codes = planes();
    add_code_conv(program_, draw_, input, out, kernel, steps, padding, groups, of_codes, planes());
  }

  void real_conv() {
    packed::RealConvT conv;
    conv.input = some(Kind::real);
    const Shape in = program_.shape(conv.input);
    const int kernel = kernel_in(in), steps = stride(),
              padding = draw_.integer(0, std::min(kernel - 1, 3));
    if (too_many(in, kernel, steps, padding)) return;
    conv.window = window(kernel, steps, padding);
    conv.groups = divisor(in.channels, true);
    const int out = affordable(conv.groups * draw_.integer(1, 12 / conv.groups + 1), in, kernel,
                               steps, padding, conv.groups);
    conv.weight =
        draw_.reals(static_cast<size_t>(out * kernel * kernel * (in.channels / conv.groups)));
    if (draw_.chance(0.5)) conv.bias = draw_.reals(static_cast<size_t>(out));
    program_.add(std::move(conv), {(in.height + 2 * padding - kernel) / steps + 1,
                                   (in.width + 2 * padding - kernel) / steps + 1, out});
  }

  void affine() {
    const int input = some(Kind::real), channels = program_.shape(input).channels;
    add_affine(program_, input, by_channel(channels, true), by_channel(channels, true));
  }

  void activation() {
    packed::ActivationT activation;
    activation.input = some(Kind::real);
    activation.function = static_cast<packed::Function>(draw_.integer(0, 4));
    activation.low = draw_.real(-2, 0);
    activation.high = draw_.real(0, 2);
    const Shape shape = program_.shape(activation.input);
    activation.slope = by_channel(shape.channels, false);
    program_.add(std::move(activation), shape);
  }

  // b: of the same shape where there is such a value, or the mean of a.
  void binary() {
    packed::BinaryT binary;
    binary.a = some(Kind::real);
    const Shape shape = program_.shape(binary.a);
    std::vector<int> same;
    for (int number = 1; number <= program_.last(); ++number)
      if (program_.value(number).kind == Kind::real && program_.shape(number) == shape)
        same.push_back(number);
    binary.b = draw_.of(same);
    if (draw_.chance(0.3)) {
      packed::MeanT mean;
      mean.input = binary.a;
      mean.over_pixels = draw_.chance(0.5);
      mean.over_channels = !mean.over_pixels || draw_.chance(0.3);
      const Shape rest{mean.over_pixels ? 1 : shape.height, mean.over_pixels ? 1 : shape.width,
                       mean.over_channels ? 1 : shape.channels};
      binary.b = program_.add(std::move(mean), rest);
    }
    binary.arithmetic = static_cast<packed::Arithmetic>(draw_.integer(0, 3));
    if (draw_.chance(0.5) && program_.shape(binary.b) == shape) std::swap(binary.a, binary.b);
    program_.add(std::move(binary), shape);
  }

  void quantize() {
    const int input = some(Kind::real), channels = program_.shape(input).channels;
    const int groups = draw_.chance(0.5) ? 1 : divisor(channels);
    const size_t steps = static_cast<size_t>(draw_.of<int>({0, 1, 2, 3, 7, 15, 30, 255}));
    std::vector<float> thresholds;
    for (int group = 0; group < groups; ++group)
      for (const float x : draw_.ascending(steps)) thresholds.push_back(x);
    add_quantize(program_, input, groups, std::move(thresholds));
  }

  void dequantize() {
    packed::DequantizeT dequantize;
    dequantize.input = some(Kind::code);
    const Shape shape = program_.shape(dequantize.input);
    dequantize.groups = draw_.chance(0.5) ? 1 : divisor(shape.channels);
    dequantize.levels = draw_.reals(
        static_cast<size_t>(dequantize.groups * program_.value(dequantize.input).levels));
    program_.add(std::move(dequantize), shape);
  }

  void pool() {
    packed::PoolT pool;
    const Kind kind = draw_.chance(0.7) ? Kind::real : Kind::code;
    pool.input = some(kind);
    const Shape in = program_.shape(pool.input);
    const int levels = program_.value(pool.input).levels;
    const int kernel = kernel_in(in),
              steps = extreme_ == Extreme::windows ? stride() : draw_.integer(1, 3),
              padding = draw_.integer(0, std::min(kernel - 1, 3));
    if (too_many(in, kernel, steps, padding)) return;
    pool.window = window(kernel, steps, padding);
    pool.ceil = draw_.chance(0.5);
    pool.pooling = kind == Kind::real && draw_.chance(0.5) ? packed::Pooling::average
                                                           : packed::Pooling::maximum;
    const auto side = [&](int length) {
      const int rest = length + 2 * padding - kernel;
      int count = rest / steps + 1;
      if (pool.ceil && rest % steps != 0 && count * steps < length + padding) ++count;
      return count;
    };
    const Shape out{side(in.height), side(in.width), in.channels};
    program_.add(std::move(pool), out, levels);
  }

  void rearrange() {
    using packed::Layout;
    packed::RearrangeT step;
    const Kind kind = draw_.chance(0.7) ? Kind::real : Kind::code;
    step.input = some(kind);
    const Shape in = program_.shape(step.input);
    const int levels = program_.value(step.input).levels;
    step.layout = static_cast<Layout>(draw_.integer(0, 5));
    if (step.layout == Layout::pad && kind == Kind::code) step.layout = Layout::flatten;
    step.cell = draw_.integer(1, 2);
    const int cells = step.cell * step.cell;
    Shape out = in;
    switch (step.layout) {
      case Layout::space_to_depth:
        if (in.height % step.cell != 0 || in.width % step.cell != 0) return;
        out = {in.height / step.cell, in.width / step.cell, in.channels * cells};
        break;
      case Layout::depth_to_space:
        if (in.channels % cells != 0) return;
        out = {in.height * step.cell, in.width * step.cell, in.channels / cells};
        break;
      case Layout::repeat:
        out.channels *= step.cell;
        break;
      case Layout::pad:
        out = {in.height + 2 * step.cell, in.width + 2 * step.cell, in.channels};
        break;
      case Layout::slice:
        step.first = draw_.integer(0, in.channels - 1);
        out.channels = draw_.integer(1, in.channels - step.first);
        break;
      case Layout::flatten:
        if (draw_.chance(0.8)) return;  // nothing much follows on one pixel
        out = {1, 1, static_cast<int>(in.count())};
        break;
    }
    program_.add(std::move(step), out, levels);
  }

  void concatenate() {
    packed::ConcatenateT step;
    const Kind kind = draw_.chance(0.7) ? Kind::real : Kind::code;
    const int first = some(kind);
    const Shape in = program_.shape(first);
    int channels = 0, levels = 0;
    for (int number = 0; number <= program_.last() && channels < 60; ++number) {
      const Shape shape = program_.shape(number);
      if (program_.value(number).kind != kind || shape.height != in.height ||
          shape.width != in.width)
        continue;
      step.inputs.push_back(number);
      channels += shape.channels;
      levels = std::max(levels, program_.value(number).levels);
    }
    if (step.inputs.empty()) return;
    program_.add(std::move(step), {in.height, in.width, channels}, levels);
  }

  void add_step() {
    switch (draw_.integer(0, 15)) {
      case 0:
      case 1:
      case 2:
        return code_conv();
      case 3:
        return real_conv();
      case 4:
        normalize();
        return;
      case 5:
      case 6:
        return affine();
      case 7:
      case 8:
        return activation();
      case 9:
        return binary();
      case 10:
      case 11:
        return quantize();
      case 12:
        return dequantize();
      case 13:
        return pool();
      case 14:
        return rearrange();
      default:
        return concatenate();
    }
  }

  Draw draw_;
  Extreme extreme_;
  Program program_;
};

}  // namespace

Program random_program(uint32_t seed, int steps, bool extremes) {
  return Random(seed, extremes).grow(steps);
}

namespace {

// Layers as training and export make them, of random weights.
class Residual {
 public:
  Residual(const ResidualShape& shape, uint32_t seed)
      : draw_(seed), shape_(shape), program_(shape.side, shape.side, 3) {}

  Program build() {
    int last = convolve(0, shape_.widths.front(), shape_.stem ? 7 : 3, shape_.stem ? 2 : 1, 8);
    last = relu(last);
    if (shape_.stem) last = pool(last);
    for (const int width : shape_.widths)
      for (int block = 0; block < shape_.blocks; ++block)
        last = add_block(last, width, block == 0 && width != shape_.widths.front() ? 2 : 1);
    last = add_mean(program_, last);
    convolve(quantize(last, 8), shape_.classes, 1, 1, 8);
    return std::move(program_);
  }

 private:
  int convolve(int input, int out, int kernel, int stride, int bits) {
    const Shape in = program_.shape(input);
    const auto outs = static_cast<size_t>(out);
    const size_t count = outs * static_cast<size_t>(kernel * kernel * in.channels);
    packed::CodeConvT conv;
    conv.input = input;
    conv.window = window(kernel, stride, kernel / 2);
    conv.groups = 1;
    auto codes = std::make_unique<packed::CodePlaneT>();
    codes->channels = in.channels;
    const int levels = program_.value(input).levels;
    if (levels == 256)
      codes->zero_points.assign(static_cast<size_t>(in.channels), 0);
    else
      for (int code = 0; code < levels; ++code)
        codes->integers.push_back(static_cast<int8_t>(code));
    conv.codes.push_back(std::move(codes));
    auto weights = std::make_unique<packed::WeightPlaneT>();
    weights->bits = static_cast<uint8_t>(bits);
    const int named = 1 << bits;
    // Of one bit -1 and 1.
    for (int code = 0; code < named; ++code)
      weights->integers.push_back(static_cast<int8_t>(bits == 1 ? 2 * code - 1 : code - named / 2));
    weights->data = pack_bits(draw_.codes(count, named), bits);
    conv.weights.push_back(std::move(weights));
    conv.coefficients = draw_.reals(outs, 0.001f, 0.01f);
    conv.bias = draw_.reals(outs);
    return program_.add(std::move(conv),
                        {(in.height - 1) / stride + 1, (in.width - 1) / stride + 1, out});
  }

  int relu(int input) {
    packed::ActivationT activation;
    activation.input = input;
    activation.function = packed::Function::relu;
    return program_.add(std::move(activation), program_.shape(input));
  }

  int pool(int input) {
    packed::PoolT step;
    step.input = input;
    step.window = window(3, 2, 1);
    const Shape in = program_.shape(input);
    return program_.add(std::move(step),
                        {(in.height - 1) / 2 + 1, (in.width - 1) / 2 + 1, in.channels});
  }

  int quantize(int input, int bits) {
    std::vector<float> thresholds;
    for (int step = 1; step < 1 << bits; ++step)
      thresholds.push_back((static_cast<float>(step) - 0.5f) * 4 / static_cast<float>(1 << bits));
    return add_quantize(program_, input, 1, std::move(thresholds));
  }

  int add_block(int input, int width, int stride) {
    const int codes = quantize(input, shape_.bits);
    const int first = relu(convolve(codes, width, 3, stride, shape_.bits));
    const int second = convolve(quantize(first, shape_.bits), width, 3, 1, shape_.bits);
    packed::BinaryT sum;
    sum.a = second;
    sum.b = stride == 1 ? input : convolve(codes, width, 1, stride, shape_.bits);
    return relu(program_.add(std::move(sum), program_.shape(second)));
  }

  Draw draw_;
  const ResidualShape& shape_;
  Program program_;
};

}  // namespace

Program residual_program(const ResidualShape& shape, uint32_t seed) {
  return Residual(shape, seed).build();
}

std::vector<InstructionSet> isas() {
  std::vector<InstructionSet> found;
  for (const InstructionSet& isa : instruction_sets())
    if (isa.is_available() && !isa.is_reference()) found.push_back(isa);
  return found;
}

std::string difference_of(const Program& program, uint32_t seed, const std::vector<int>& threads) {
  const Program::File file = program.file();
  const Network network(open_sealed(file.span()));
  const std::vector<uint8_t> image = Draw(seed).codes(program.shape(0).count(), 256);
  const auto plain = values_of(network, Plan(network, instruction_set("reference")), 1, image);
  for (const InstructionSet& isa : isas()) {
    const Plan plan(network, isa);
    for (const int count : threads) {
      const std::string how = std::string(isa.name) + ", threads " + std::to_string(count);
      const auto planned = values_of(network, plan, count, image);
      for (size_t i = 1; i < plain.size(); ++i)
        if (!planned[i].empty() && planned[i] != plain[i])
          return how + ": value " + std::to_string(i) + " of " +
                 EnumNameOperation(network.step(static_cast<int>(i) - 1).operation_type());
      std::vector<float> logits(network.types().back().shape.count());
      Session(network, plan, count).run(image.data(), logits.data());
      if (std::memcmp(logits.data(), plain.back().data(), plain.back().size()) != 0)
        return how + ": logits of a run without visits";
    }
  }
  return "";
}

std::vector<std::vector<uint8_t>> values_of(const Network& network, const Plan& plan, int threads,
                                            const std::vector<uint8_t>& image) {
  std::vector<std::vector<uint8_t>> values(network.types().size());
  std::vector<float> logits(network.types().back().shape.count());
  Session session(network, plan, threads);
  session.run(
      image.data(), logits.data(),
      [](void* context, const Session& ran, const Group& group) {
        for (const int number : group.stored) {
          const Tensor& value = ran.value(number);
          const auto* first = static_cast<const uint8_t*>(value.data);
          (*static_cast<std::vector<std::vector<uint8_t>>*>(
              context))[static_cast<size_t>(number)] = {first, first + value.type.bytes()};
        }
      },
      &values);
  return values;
}

}  // namespace lowbit::runtime
