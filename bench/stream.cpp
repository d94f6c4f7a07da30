// Batches of a folder of pictures as a training step would fetch them, without a step: images/s of
// each data set that reads such a folder, on the GPU where there is one.
//
//   stream ROOT [BATCH [WORKERS [SECONDS]]]     ROOT/train/CLASS/*, as --dataset imagenet has it
#include <fmt/format.h>
#include <torch/cuda.h>

#include <chrono>
#include <cstdlib>

#include "lowbit/core/error.h"
#include "lowbit/data/batches.h"
#include "lowbit/tensor/tensor.h"

namespace {

namespace data = lowbit::data;

struct Settings {
  int64_t batch = 256;
  double seconds = 5;
};

void wait_for(torch::Device device) {
  if (device.is_cuda()) torch::cuda::synchronize();
}

// Whole epochs, after a batch that warms up, until the time is over.
double images_per_second(data::BatchSource& source, torch::Device device,
                         const Settings& settings) {
  using Clock = std::chrono::steady_clock;
  const int64_t batch = std::min(settings.batch, source.size());
  source.fetch(0, batch);
  wait_for(device);
  const auto start = Clock::now();
  const auto elapsed = [&start] {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  int64_t images = 0;
  for (int64_t epoch = 1; elapsed() < settings.seconds; ++epoch) {
    source.start_epoch(epoch);
    for (int64_t first = 0; first + batch <= source.size() && elapsed() < settings.seconds;
         first += batch) {
      source.fetch(first, batch);
      images += batch;
    }
  }
  wait_for(device);
  return static_cast<double>(images) / elapsed();
}

void measure(lowbit::config::DataOptions options, torch::Device device, const Settings& settings) {
  for (const bool augmented : {false, true}) {
    options.addition_augment = augmented;
    const auto source =
        data::open_batches(options, data::Split::train, 1, lowbit::tensor::backend(device), device);
    fmt::print("{:<9}{:<7}batch {}, {} workers, {}: {:7.0f} images/s\n", options.dataset,
               augmented ? "--aa" : "", settings.batch, options.workers, device.str(),
               images_per_second(*source, device, settings));
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: stream ROOT [BATCH [WORKERS [SECONDS]]]\n");
    return 2;
  }
  try {
    lowbit::config::DataOptions options;
    options.root = argv[1];
    Settings settings;
    if (argc > 2) settings.batch = std::atoll(argv[2]);
    if (argc > 3) options.workers = std::atoi(argv[3]);
    if (argc > 4) settings.seconds = std::atof(argv[4]);
    const torch::Device device = torch::cuda::is_available() ? torch::kCUDA : torch::kCPU;
    for (const char* name : {"dali", "imagenet"}) {
      options.dataset = name;
      measure(options, device, settings);
    }
  } catch (const lowbit::core::Error& error) {
    fmt::print(stderr, "stream: {}\n", error.what());
    return 1;
  }
  return 0;
}
