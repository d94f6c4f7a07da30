#include "lowbit/train/device.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "lowbit/core/error.h"
#include "lowbit/core/log.h"
#include "lowbit/core/threads.h"
#include "lowbit/nn/fused_passes.h"
#include "lowbit/tensor/tensor.h"

#ifdef LOWBIT_CUDA
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/cuda.h>
#endif

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace lowbit::train {
namespace {

// Why no GPU can be used; empty if one can.
std::string why_no_gpu() {
#ifdef LOWBIT_CUDA
  return torch::cuda::is_available() ? "" : "no GPU found";
#else
  return "this build has no CUDA part (nvcc was not found when it was built)";
#endif
}

int gpu_count() {
#ifdef LOWBIT_CUDA
  return static_cast<int>(torch::cuda::device_count());
#else
  return 0;
#endif
}

// The GPUs that the options name and that exist; without --device-ids: for several processes all
// of them.
std::vector<int> gpus_of(const config::TrainOptions& options, bool several) {
  std::vector<int> ids;
  if (several && !options.device_ids_given) {
    ids.resize(static_cast<size_t>(gpu_count()));
    std::iota(ids.begin(), ids.end(), 0);
    return ids;
  }
  std::ranges::copy_if(options.device_ids, std::back_inserter(ids),
                       [count = gpu_count()](int id) { return id < count; });
  return ids;
}

torch::Device gpu_of(const config::TrainOptions& options, const distributed::Place* place) {
  const std::vector<int> ids = gpus_of(options, place != nullptr);
  if (ids.empty())
    throw core::usage_error("--device-ids {}: there are {} GPUs, counted from 0",
                            fmt::join(options.device_ids, " "), gpu_count());
  const int rank = place ? place->local_rank : 0;
  if (rank >= static_cast<int>(ids.size()))
    throw core::usage_error("{} processes on this machine, but only {} GPUs for them",
                            place->local_size, ids.size());
  return {torch::kCUDA, static_cast<torch::DeviceIndex>(ids[static_cast<size_t>(rank)])};
}

// A step frees and allocates the same large tensors again and again. By default glibc gives such
// memory back to the system every time, and the pages that come in its place are cleared first: a
// tenth of the time of a quantized step. The memory of the process stays at its peak instead.
void keep_freed_memory() {
#ifdef __GLIBC__
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
#endif
}

}  // namespace

int processes_here(const config::TrainOptions& options) {
  if (options.gpus > 0) return options.gpus;
  // Only those who ask for several wait for the driver here.
  const bool asked = options.distributed || options.device_ids_given;
  if (!asked || options.device == config::Device::cpu || !why_no_gpu().empty()) return 1;
  const auto all = static_cast<int>(gpus_of(options, true).size());
  return std::max(options.world_size > 0 ? std::min(all, options.world_size - options.rank) : all,
                  1);
}

torch::Device choose_device(const config::TrainOptions& options, const distributed::Place* place) {
  const bool half =
      options.precision == config::Precision::fp16 || options.precision == config::Precision::bf16;
  if (options.device != config::Device::cpu) {
    const std::string reason = why_no_gpu();
    if (reason.empty()) return gpu_of(options, place);
    if (options.device == config::Device::cuda)
      throw core::usage_error("--device cuda: {}", reason);
    core::warn_once(fmt::format("{}: running on the CPU{}", reason,
                                half ? ", in fp32: half precision needs a GPU" : ""));
  } else if (half) {
    throw core::usage_error("--device cpu: half precision needs a GPU; use --precision fp32");
  }
  return torch::kCPU;
}

torch::ScalarType compute_type(config::Precision precision) {
  switch (precision) {
    case config::Precision::fp64:
      return torch::kFloat64;
    case config::Precision::fp32:
      return torch::kFloat32;
    case config::Precision::fp16:
      return torch::kFloat16;
    case config::Precision::bf16:
      return torch::kBFloat16;
  }
  throw core::failure("unknown precision");
}

torch::ScalarType parameter_type(config::Precision precision) {
  return precision == config::Precision::fp64 ? torch::kFloat64 : torch::kFloat32;
}

#ifdef LOWBIT_CUDA
// Makes the device current, too.
struct DeviceScope::Stream {
  explicit Stream(torch::Device device)
      : guard(c10::cuda::getStreamFromPool(/*isHighPriority=*/true, device.index())) {}
  c10::cuda::CUDAStreamGuard guard;
};
#else
struct DeviceScope::Stream {
  explicit Stream(torch::Device) {}
};
#endif

DeviceScope::DeviceScope(torch::Device device, const config::TrainOptions& options) {
  // Once: inside another scope this thread is pinned to one core.
  static const int threads = core::wanted_threads();
  at::set_num_threads(threads);
  tensor::use_reference_kernels(options.kernels == config::Kernels::reference);
  nn::use_fused_passes(options.kernels == config::Kernels::automatic ? nn::FusedPasses::on_gpu
                                                                     : nn::FusedPasses::never);
  auto& context = at::globalContext();
  context.setDeterministicCuDNN(options.deterministic);
  context.setDeterministicAlgorithms(options.deterministic, /*warn_only=*/true);
  // The fastest convolution is found by trying: its choice may differ from run to run.
  context.setBenchmarkCuDNN(!options.deterministic);
  context.setAllowTF32CuDNN(false);
  if (device.is_cuda())
    stream_ = std::make_unique<Stream>(device);
  else {
    threads_.emplace();
    keep_freed_memory();
  }
}

DeviceScope::~DeviceScope() = default;

void synchronize(torch::Device device) {
#ifdef LOWBIT_CUDA
  if (device.is_cuda()) c10::cuda::getCurrentCUDAStream().synchronize();
#endif
}

}  // namespace lowbit::train
