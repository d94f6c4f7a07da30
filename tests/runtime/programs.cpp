#include "programs.h"

#include <algorithm>

namespace lowbit::runtime {
namespace {

using packed::Kind;

class Random {
 public:
  explicit Random(uint32_t seed)
      : draw_(seed), program_(draw_.integer(4, 12), draw_.integer(4, 12), draw_.of<int>({1, 3})) {}

  Program grow(int steps) {
    while (program_.last() < steps) add_step();
    add_mean(program_, some(Kind::real));
    return std::move(program_);
  }

 private:
  // Values that are not too large to go on from; the latest most often, so that chains come about.
  int some(Kind kind) {
    std::vector<int> found;
    for (int number = 0; number <= program_.last(); ++number)
      if (program_.value(number).kind == kind && program_.shape(number).count() <= 20000)
        found.push_back(number);
    if (found.empty()) return kind == Kind::code ? 0 : normalize();
    return draw_.chance(0.6) ? found.back() : draw_.of(found);
  }

  int divisor(int number) {
    std::vector<int> found;
    for (int i = 1; i <= number; ++i)
      if (number % i == 0) found.push_back(i);
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
    const int kernel = draw_.integer(1, std::min({3, in.height, in.width}));
    const int groups = divisor(in.channels);
    add_code_conv(program_, draw_, input, groups * draw_.integer(1, 40 / groups + 1), kernel,
                  draw_.integer(1, 2), draw_.integer(0, kernel - 1), groups,
                  draw_.chance(0.3) ? 2 : 1, draw_.chance(0.3) ? 2 : 1);
  }

  void real_conv() {
    packed::RealConvT conv;
    conv.input = some(Kind::real);
    const Shape in = program_.shape(conv.input);
    const int kernel = draw_.integer(1, std::min({3, in.height, in.width}));
    const int stride = draw_.integer(1, 2), padding = draw_.integer(0, kernel - 1);
    conv.window = window(kernel, stride, padding);
    conv.groups = divisor(in.channels);
    const int out = conv.groups * draw_.integer(1, 12 / conv.groups + 1);
    conv.weight =
        draw_.reals(static_cast<size_t>(out * kernel * kernel * (in.channels / conv.groups)));
    if (draw_.chance(0.5)) conv.bias = draw_.reals(static_cast<size_t>(out));
    program_.add(std::move(conv), {(in.height + 2 * padding - kernel) / stride + 1,
                                   (in.width + 2 * padding - kernel) / stride + 1, out});
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
    const int kernel = draw_.integer(1, std::min({3, in.height, in.width}));
    const int stride = draw_.integer(1, 3), padding = draw_.integer(0, kernel - 1);
    pool.window = window(kernel, stride, padding);
    pool.ceil = draw_.chance(0.5);
    pool.pooling = kind == Kind::real && draw_.chance(0.5) ? packed::Pooling::average
                                                           : packed::Pooling::maximum;
    const auto side = [&](int length) {
      const int rest = length + 2 * padding - kernel;
      int count = rest / stride + 1;
      if (pool.ceil && rest % stride != 0 && count * stride < length + padding) ++count;
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
  Program program_;
};

}  // namespace

Program random_program(uint32_t seed, int steps) {
  return Random(seed).grow(steps);
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
