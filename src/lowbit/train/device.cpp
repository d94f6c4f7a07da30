#include "lowbit/train/device.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <fmt/ranges.h>

#include <limits>

#include "lowbit/core/error.h"
#include "lowbit/core/log.h"
#include "lowbit/core/threads.h"
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

torch::Device first_gpu(const std::vector<int>& ids) {
  int count = 0;
#ifdef LOWBIT_CUDA
  count = static_cast<int>(torch::cuda::device_count());
#endif
  for (const int id : ids)
    if (id < count) return torch::Device(torch::kCUDA, static_cast<torch::DeviceIndex>(id));
  throw core::usage_error("--device-ids {}: there are {} GPUs, counted from 0", fmt::join(ids, " "),
                          count);
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

torch::Device choose_device(const config::TrainOptions& options) {
  const bool half =
      options.precision == config::Precision::fp16 || options.precision == config::Precision::bf16;
  if (options.device != config::Device::cpu) {
    const std::string reason = why_no_gpu();
    if (reason.empty()) return first_gpu(options.device_ids);
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
  // Counted once: inside another scope this thread is pinned to one core.
  static const int threads = core::usable_cores();
  at::set_num_threads(threads);
  tensor::use_reference_kernels(options.reference_kernels);
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
