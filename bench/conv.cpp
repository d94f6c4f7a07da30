// The integer convolutions of the packed runtime on one core, layer by layer: time, multiply-
// accumulates per cycle, and their share of the ceiling, which is the same kernel's speed on a
// product of 192 x 576 by 576 x 256, hot in cache. Weights are drawn as trained ones lie: of few
// levels, most of them near 0.
//
//   conv [ISA] [NAME] [WIDTHS]     as `lowbit bench --kernels` (default: auto); only layers whose
//                                  name begins with NAME, and widths whose name begins with WIDTHS
//   conv compare ...               the same with all kernels that can do a layer, not the selected
//                                  alone, which is marked
//
// A cycle is one of the clock at which a chain of dependent additions runs.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "lowbit/core/error.h"
#include "lowbit/runtime/kernels/instruction_set.h"

namespace {

using lowbit::runtime::ConvProblem;
using lowbit::runtime::InstructionSet;

struct Layer {
  const char* name;
  int count;  // in the network
  int side, in, out, kernel, stride, groups = 1;
};

struct Network {
  const char* name;
  std::vector<Layer> ends, layers;  // ends: of 8 bits, whatever the others have
};

const std::vector<Network>& networks() {
  static const std::vector<Network> all = {
      {"resnet18",
       {{"first", 1, 224, 3, 64, 7, 2}, {"last", 1, 1, 512, 1000, 1, 1}},
       {{"56x64", 4, 56, 64, 64, 3, 1},
        {"56x64 to 28x128", 1, 56, 64, 128, 3, 2},
        {"28x128", 3, 28, 128, 128, 3, 1},
        {"shortcut 28x128", 1, 56, 64, 128, 1, 2},
        {"28x128 to 14x256", 1, 28, 128, 256, 3, 2},
        {"14x256", 3, 14, 256, 256, 3, 1},
        {"shortcut 14x256", 1, 28, 128, 256, 1, 2},
        {"14x256 to 7x512", 1, 14, 256, 512, 3, 2},
        {"7x512", 3, 7, 512, 512, 3, 1},
        {"shortcut 7x512", 1, 14, 256, 512, 1, 2}}},
      {"resnet20",
       {},
       {{"32x16", 6, 32, 16, 16, 3, 1},
        {"32x16 to 16x32", 1, 32, 16, 32, 3, 2},
        {"16x32", 5, 16, 32, 32, 3, 1},
        {"16x32 to 8x64", 1, 16, 32, 64, 3, 2},
        {"8x64", 5, 8, 64, 64, 3, 1}}},
      {"mobilenetv2",
       {},
       {{"112x16 to 96", 1, 112, 16, 96, 1, 1},
        {"depthwise 56x144", 1, 56, 144, 144, 3, 1, 144},
        {"56x144 to 24", 1, 56, 144, 24, 1, 1},
        {"28x32 to 192", 3, 28, 32, 192, 1, 1},
        {"depthwise 14x384", 4, 14, 384, 384, 3, 1, 384},
        {"14x384 to 64", 4, 14, 384, 64, 1, 1},
        {"7x160 to 960", 3, 7, 160, 960, 1, 1},
        {"7x960 to 320", 1, 7, 960, 320, 1, 1}}},
  };
  return all;
}

struct Widths {
  const char* name;
  std::vector<int8_t> integers;  // of the codes; empty: the image
  std::vector<int8_t> levels;    // of the weights, rising
};

std::vector<int8_t> range(int low, int high) {
  std::vector<int8_t> values;
  for (int value = low; value <= high; ++value) values.push_back(static_cast<int8_t>(value));
  return values;
}

const std::vector<Widths>& all_widths() {
  static const std::vector<Widths> widths = {
      {"W1A1", {-1, 1}, {-1, 1}},
      {"W1A2", range(0, 3), {-1, 1}},
      {"W2A2", range(0, 3), range(-2, 1)},
      {"W2A2 odd", range(0, 3), {-3, -1, 1, 3}},
      {"ternary A2", range(0, 3), {-1, 0, 1}},
      {"W3A3", range(0, 7), range(-4, 3)},
      {"W4A4", range(0, 15), range(-8, 7)},
      {"W8A8", {}, range(-128, 127)},
  };
  return widths;
}

// Normal, the outermost levels at two standard deviations.
std::vector<int8_t> draw_weights(const std::vector<int8_t>& levels, size_t count,
                                 std::mt19937& random) {
  std::normal_distribution<double> normal;
  const double middle = (levels.front() + levels.back()) / 2.0;
  const double deviation = std::max((levels.back() - levels.front()) / 4.0, 1e-3);
  std::vector<int8_t> weights(count);
  for (int8_t& weight : weights) {
    const double value = middle + deviation * normal(random);
    weight = *std::ranges::min_element(
        levels, {}, [&](int8_t level) { return std::abs(static_cast<double>(level) - value); });
  }
  return weights;
}

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

template <class Function>
double best_seconds(double at_least, const Function& function) {
  double best = 1e300;
  const double end = seconds() + at_least;
  for (int passes = 0; passes < 5 || seconds() < end; ++passes) {
    const double start = seconds();
    function();
    best = std::min(best, seconds() - start);
  }
  return best;
}

double cycles_per_second() {
  constexpr int kAdditions = 100'000;
  const double time = best_seconds(0.5, [] {
    unsigned long sum = 0;
    for (int i = 0; i < kAdditions; ++i) {
      sum += 3;
      asm volatile("" : "+r"(sum));  // one after the other
    }
  });
  return kAdditions / time;
}

struct Result {
  std::string kernel;
  double time, sums;  // seconds, multiply-accumulates
};

// Of the selected kernel, then, where `all`, of the others that can do the layer.
std::vector<Result> measure(const Layer& layer, const Widths& widths, const InstructionSet& isa,
                            bool all) {
  std::mt19937 random(1);
  const size_t count =
      static_cast<size_t>(layer.out) * layer.kernel * layer.kernel * (layer.in / layer.groups);
  const std::vector<int8_t> weights = draw_weights(widths.levels, count, random);
  const std::vector<uint8_t> zero_points(static_cast<size_t>(layer.in), 117);
  const ConvProblem problem{.height = layer.side,
                            .width = layer.side,
                            .in = layer.in,
                            .out = layer.out,
                            .kernel = layer.kernel,
                            .stride = layer.stride,
                            .padding = layer.kernel / 2,
                            .groups = layer.groups,
                            .code_integers = widths.integers,
                            .zero_points = zero_points,
                            .weights = weights};
  const unsigned levels = widths.integers.empty() ? 256 : widths.integers.size();
  std::vector<uint8_t> codes(static_cast<size_t>(layer.side) * layer.side * layer.in);
  for (uint8_t& code : codes) code = static_cast<uint8_t>(random() % levels);
  const size_t results = static_cast<size_t>(problem.out_height()) * problem.out_width();
  std::vector<int32_t> acc(results * layer.out);  // of all rows at most
  std::vector<std::unique_ptr<lowbit::runtime::ConvKernel>> kernels;
  if (all)
    kernels = all_conv_kernels(problem, isa);
  else
    kernels.push_back(make_conv_kernel(problem, isa));
  std::vector<Result> measured;
  for (const auto& kernel : kernels) {
    const size_t bytes = (kernel->scratch_bytes() + 63) / 64 * 64;
    const std::unique_ptr<void, decltype(&std::free)> scratch(std::aligned_alloc(64, bytes + 64),
                                                              &std::free);
    const double time = best_seconds(0.1, [&] {
      kernel->run(codes.data(), {0, problem.out_height(), 0, problem.out}, acc.data(),
                  scratch.get());
    });
    measured.push_back(
        {kernel->name(), time, static_cast<double>(results) * static_cast<double>(count)});
  }
  return measured;
}

class Report {
 public:
  Report(const InstructionSet& isa, bool all, std::string_view layers, std::string_view widths)
      : isa_(isa), all_(all), layers_(layers), widths_(widths), clock_(cycles_per_second()) {}

  void print(const Network& network) {
    for (const Widths& widths : all_widths()) {
      if (!std::string_view(widths.name).starts_with(widths_)) continue;
      std::printf("\n%s, %s, %s, %.2f GHz\n", network.name, widths.name, isa_.name, clock_ / 1e9);
      double total = 0;
      for (const Layer& layer : network.ends) total += print(layer, all_widths().back());
      for (const Layer& layer : network.layers) total += print(layer, widths);
      std::printf("%-20s %46.0f us\n", "sum of all layers", 1e6 * total);
    }
  }

 private:
  // Of all layers of the kind by the selected kernel, in seconds.
  double print(const Layer& layer, const Widths& widths) {
    if (!std::string_view(layer.name).starts_with(layers_)) return 0;
    const std::vector<Result> results = measure(layer, widths, isa_, all_);
    for (const Result& result : results) {
      std::printf("%-20s x%d  %-26s %12.0f ns %8.1f mac/cycle", layer.name, layer.count,
                  result.kernel.c_str(), 1e9 * result.time, per_cycle(result));
      if (layer.groups == 1 && !all_)
        std::printf(" %5.0f %%", 100 * per_cycle(result) / ceiling(widths));
      std::printf("%s\n", all_ && &result == &results.front() ? "  selected" : "");
    }
    return layer.count * results.front().time;
  }

  double per_cycle(const Result& result) const { return result.sums / result.time / clock_; }

  double ceiling(const Widths& widths) {
    double& known = ceilings_[static_cast<size_t>(&widths - all_widths().data())];
    if (known == 0)
      known = per_cycle(measure({"", 1, 14, 576, 256, 1, 1}, widths, isa_, false).front());
    return known;
  }

  const InstructionSet& isa_;
  bool all_;
  std::string_view layers_, widths_;
  double clock_;
  std::vector<double> ceilings_ = std::vector<double>(all_widths().size());
};

}  // namespace

int main(int argc, char** argv) {
  try {
    std::vector<std::string_view> words(argv + 1, argv + argc);
    const bool all = !words.empty() && words.front() == "compare";
    if (all) words.erase(words.begin());
    words.resize(std::max<size_t>(words.size(), 3));
    const InstructionSet& isa =
        lowbit::runtime::instruction_set(words[0].empty() ? "auto" : words[0]);
    Report report(isa, all, words[1], words[2]);
    for (const Network& network : networks()) report.print(network);
  } catch (const lowbit::core::Error& error) {
    std::fprintf(stderr, "conv: %s\n", error.what());
    return 1;
  }
  return 0;
}
