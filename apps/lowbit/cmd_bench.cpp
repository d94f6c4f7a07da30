// lowbit bench MODEL.lowbit: latency and throughput of a packed network.

#include <algorithm>
#include <numeric>
#include <optional>

#include "command_line.h"
#include "commands.h"
#include "console.h"
#include "float_peer.h"
#include "latency.h"
#include "lowbit/checkpoint/checkpoint_file.h"
#include "lowbit/core/error.h"
#include "lowbit/runtime/packed_network.h"
#include "open_checkpoint.h"
#include "output.h"

namespace lowbit::app {
namespace {

struct BenchCall {
  PackedCall packed{.model = {}, .threads = 1};
  double seconds = 3;
  bool layers = false;
  std::string against;  // a checkpoint
  Arguments network;    // options of lowbit train
};

std::optional<BenchCall> read_bench_call(const Arguments& arguments) {
  BenchCall call;
  CLI::App app(
      "Measures a packed network on images of noise: one at a time, again and again.\n"
      "With --against options of lowbit train replace what the checkpoint says.",
      "lowbit bench");
  add_packed_options(app, call.packed);
  app.add_option("--seconds", call.seconds, "how long")
      ->check(CLI::Range(0.01, 86400.0))
      ->capture_default_str();
  app.add_flag("--layers", call.layers, "the time of each step");
  app.add_option("--against", call.against,
                 "the checkpoint it was packed from: size and time beside the same network in "
                 "float32, without its quantizers, as LibTorch evaluates it");
  app.allow_extras();
  if (!parse_arguments(app, arguments)) return std::nullopt;
  call.network = app.remaining();
  if (call.against.empty() && !call.network.empty())
    throw core::usage_error("bench: '{}' is no option without --against", call.network.front())
        .detail("'lowbit bench -h' lists the options");
  return call;
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
    print("{:>10.1f} us  {:<36} {:>4} x {:>3} x {:>4}  {:<12} {}\n", time * 1e6, value.name,
          value.height, value.width, value.channels, value.operation, value.kernel);
  }
  print("{:>10.1f} us  together\n", sum * 1e6);
}

void compare(const BenchCall& call) {
  log_to_console();
  const checkpoint::Value checkpoint = checkpoint::read_checkpoint(call.against);
  const config::Configuration configuration =
      configuration_of(checkpoint, call.against, call.network, /*for_network=*/true);
  log_against_float32(call.packed, checkpoint, call.against, configuration, call.seconds);
}

}  // namespace

int bench(const Arguments& arguments) {
  const std::optional<BenchCall> call = read_bench_call(arguments);
  if (!call) return 0;
  runtime::PackedNetwork network(call->packed.model, call->packed.kernels, call->packed.threads);
  const std::vector<uint8_t> image = noise(network.description());
  print("{}\n", network.description().network);
  if (call->layers) print_layers(network, image);
  std::vector<float> logits(static_cast<size_t>(network.description().classes));
  const std::vector<double> times =
      latencies(call->seconds, [&] { network.run(image.data(), 1, logits.data()); });
  const double total = std::accumulate(times.begin(), times.end(), 0.0);
  print(
      "{:.3f} ms an image (median of {}; best {:.3f}), {:.1f} images/s, {} kernels, {}, "
      "{:.2f} MB a session\n",
      median(times) * 1e3, times.size(), *std::ranges::min_element(times) * 1e3,
      static_cast<double>(times.size()) / total, network.kernels(),
      threads_text(call->packed.threads), static_cast<double>(network.session_bytes()) / 1e6);
  if (!call->against.empty()) compare(*call);
  return 0;
}

}  // namespace lowbit::app
