#include "float_peer.h"

#include <ATen/Parallel.h>

#include <filesystem>

#include "latency.h"
#include "lowbit/core/error.h"
#include "lowbit/core/log.h"
#include "lowbit/core/threads.h"
#include "lowbit/models/factory.h"
#include "lowbit/models/network_size.h"
#include "lowbit/run/loaded_network.h"
#include "lowbit/runtime/packed_network.h"
#include "pixel_source.h"

namespace lowbit::app {
namespace {

// LibTorch's threads for a time.
class TorchThreads {
 public:
  explicit TorchThreads(int threads) : before_(at::get_num_threads()) {
    at::set_num_threads(threads ? threads : core::usable_cores());
  }
  ~TorchThreads() { at::set_num_threads(before_); }
  TorchThreads(const TorchThreads&) = delete;
  TorchThreads& operator=(const TorchThreads&) = delete;

 private:
  int before_;
};

// Seconds of an image.
struct Times {
  double packed, real;
};

// By turns, so that what else the machine does meets both.
Times times_of(const std::function<void()>& packed, const std::function<void()>& real,
               double seconds) {
  constexpr int kTurns = 4;
  std::vector<double> packed_times, real_times;
  const auto add = [&](std::vector<double>& times, const std::function<void()>& run) {
    const std::vector<double> more = latencies(seconds / (2 * kTurns), run);
    times.insert(times.end(), more.begin(), more.end());
  };
  for (int turn = 0; turn < kTurns; ++turn) {
    add(packed_times, packed);
    add(real_times, real);
  }
  return {median(packed_times), median(real_times)};
}

Times measure(runtime::PackedNetwork& packed, models::Network& network,
              const config::DataOptions& data, double seconds) {
  const lowbit_description& about = packed.description();
  std::vector<uint8_t> image = noise(about);
  std::vector<float> logits(static_cast<size_t>(about.classes));
  const torch::Tensor pixels =
      torch::from_blob(image.data(), {1, about.height, about.width, about.channels}, torch::kUInt8);
  const torch::Tensor input = normalized(pixels, data).contiguous(at::MemoryFormat::ChannelsLast);
  return times_of([&] { packed.run(image.data(), 1, logits.data()); },
                  [&] { network.forward(input); }, seconds);
}

}  // namespace

void log_against_float32(const PackedCall& call, const checkpoint::Value& checkpoint,
                         const std::string& path, const config::Configuration& configuration,
                         double seconds) {
  const config::ModelOptions& model = configuration.options.model;
  runtime::PackedNetwork packed(call.model, call.kernels, call.threads);
  const lowbit_description& about = packed.description();
  if (about.height != model.input_size || about.classes != model.num_classes)
    throw core::usage_error("{}: is of {} pixels and {} classes, {} of {} and {}", call.model,
                            about.height, about.classes, path, model.input_size, model.num_classes);
  const torch::NoGradGuard no_grad;
  const TorchThreads threads(call.threads);
  const auto network = run::load_network(models::full_precision(model), checkpoint, path).network;
  network->eval();
  network->use_channels_last();
  const Times times = measure(packed, *network, configuration.options.data, seconds);
  const auto bytes = static_cast<int64_t>(std::filesystem::file_size(call.model));
  const int64_t float_bytes = models::network_size(*network).float_bytes;
  core::log().info("packed size           {}, {} as float32 ({:.1f} times smaller)",
                   models::bytes_text(bytes), models::bytes_text(float_bytes),
                   static_cast<double>(float_bytes) / static_cast<double>(bytes));
  core::log().info(
      "packed speed          {:.3f} ms an image ({}), {:.3f} ms in float32 by LibTorch ({:.1f} "
      "times as fast); {}",
      times.packed * 1e3, packed.kernels(), times.real * 1e3, times.real / times.packed,
      threads_text(call.threads));
}

}  // namespace lowbit::app
