// lowbit bench MODEL.lowbit: latency and throughput of a packed network.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <optional>
#include <random>

#include "command_line.h"
#include "commands.h"
#include "lowbit/runtime/packed_network.h"

namespace lowbit::app {
namespace {

using Clock = std::chrono::steady_clock;

struct BenchCall {
  PackedCall packed{.model = {}, .threads = 1};
  double seconds = 3;
  bool layers = false;
};

std::optional<BenchCall> read_bench_call(const Arguments& arguments) {
  BenchCall call;
  CLI::App app("Measures a packed network on images of noise: one at a time, again and again.",
               "lowbit bench");
  add_packed_options(app, call.packed);
  app.add_option("--seconds", call.seconds, "how long")
      ->check(CLI::Range(0.01, 86400.0))
      ->capture_default_str();
  app.add_flag("--layers", call.layers, "the time of each step");
  if (!parse_arguments(app, arguments)) return std::nullopt;
  return call;
}

std::vector<uint8_t> noise(const lowbit_description& description) {
  std::vector<uint8_t> image(static_cast<size_t>(description.height) *
                             static_cast<size_t>(description.width) *
                             static_cast<size_t>(description.channels));
  std::mt19937 random(1);  // NOLINT: the same image every time
  for (uint8_t& byte : image) byte = static_cast<uint8_t>(random());
  return image;
}

// The middle one, which a pause of the machine does not move.
double median(std::vector<double> numbers) {
  const auto middle = numbers.begin() + static_cast<int64_t>(numbers.size() / 2);
  std::ranges::nth_element(numbers, middle);
  return *middle;
}

// Seconds of each run.
std::vector<double> latencies(runtime::PackedNetwork& network, const std::vector<uint8_t>& image,
                              double seconds) {
  std::vector<float> logits(static_cast<size_t>(network.description().classes));
  network.run(image.data(), 1, logits.data());
  std::vector<double> times;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  do {
    const auto start = Clock::now();
    network.run(image.data(), 1, logits.data());
    times.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  } while (Clock::now() < end);
  return times;
}

void print_layers(runtime::PackedNetwork& network, const std::vector<uint8_t>& image) {
  constexpr int kRuns = 20;
  std::vector<std::vector<double>> runs;
  for (int run = 0; run < kRuns; ++run) runs.push_back(network.run_timed(image.data()));
  double sum = 0;
  for (int step = 0; step < network.description().steps; ++step) {
    const lowbit_value value = network.describe(step + 1);
    if (value.group != step) continue;  // run together with a later one
    std::vector<double> times;
    for (const std::vector<double>& run : runs) times.push_back(run[static_cast<size_t>(step)]);
    const double time = median(times);
    sum += time;
    fmt::print("{:>10.1f} us  {:<36} {:>4} x {:>3} x {:>4}  {:<12} {}\n", time * 1e6, value.name,
               value.height, value.width, value.channels, value.operation, value.kernel);
  }
  fmt::print("{:>10.1f} us  together\n", sum * 1e6);
}

}  // namespace

int bench(const Arguments& arguments) {
  const std::optional<BenchCall> call = read_bench_call(arguments);
  if (!call) return 0;
  runtime::PackedNetwork network(call->packed.model, call->packed.kernels, call->packed.threads);
  const std::vector<uint8_t> image = noise(network.description());
  fmt::print("{}\n", network.description().network);
  if (call->layers) print_layers(network, image);
  const std::vector<double> times = latencies(network, image, call->seconds);
  const double total = std::accumulate(times.begin(), times.end(), 0.0);
  fmt::print(
      "{:.3f} ms an image (median of {}; best {:.3f}), {:.1f} images/s, {} kernels, {}, "
      "{:.2f} MB a session\n",
      median(times) * 1e3, times.size(), *std::ranges::min_element(times) * 1e3,
      static_cast<double>(times.size()) / total, network.kernels(),
      call->packed.threads == 1 ? "1 thread"
      : call->packed.threads    ? fmt::format("{} threads", call->packed.threads)
                                : "all cores",
      static_cast<double>(network.session_bytes()) / 1e6);
  return 0;
}

}  // namespace lowbit::app
