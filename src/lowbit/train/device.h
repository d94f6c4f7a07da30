// Where and how precisely a run computes.
#pragma once

#include <torch/types.h>

#include <memory>
#include <optional>

#include "lowbit/config/train_options.h"
#include "lowbit/distributed/place.h"
#include "lowbit/kernels/parallel.h"

namespace lowbit::train {

// The device asked for. `automatic` takes the GPU where there is one that this build can use, else
// the CPU, and logs once why. A usage error if cuda was asked for and cannot be had, or for fp16
// and bf16 where only the CPU is: half precision runs on GPUs alone.
// place: of one of several processes, each of which takes its own GPU.
torch::Device choose_device(const config::TrainOptions& options,
                            const distributed::Place* place = nullptr);

// How many processes the options ask for on this machine, by --gpus, several --device-ids, or
// --distributed.
int processes_here(const config::TrainOptions& options);

// The type in which convolutions compute. Parameters are float32 (float64 for fp64).
torch::ScalarType compute_type(config::Precision precision);
torch::ScalarType parameter_type(config::Precision precision);

// For the life of the object: the library's settings of a run (threads, kernels, cuDNN,
// TensorFloat-32 off); on a CPU its threads pinned to their cores; on a GPU a stream of its own as
// current stream, since the default one cannot be captured.
class DeviceScope {
 public:
  DeviceScope(torch::Device device, const config::TrainOptions& options);
  ~DeviceScope();
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;

 private:
  struct Stream;
  std::optional<kernels::PinnedThreads> threads_;
  std::unique_ptr<Stream> stream_;
};

// Waits for everything enqueued on the current stream of a GPU; nothing to wait for on a CPU.
void synchronize(torch::Device device);

}  // namespace lowbit::train
