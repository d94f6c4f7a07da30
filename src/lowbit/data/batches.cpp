#include "lowbit/data/batches.h"

#include <c10/core/DeviceGuard.h>

#include <algorithm>
#include <iterator>

#include "lowbit/core/error.h"
#include "lowbit/data/shuffle.h"
#include "lowbit/kernels/augment.h"
#include "lowbit/tensor/tensor.h"

namespace lowbit::data {
namespace {

// What stands in front of the order in state_.
constexpr int64_t kCursor = 0, kEpoch = 1, kOrder = 2;

bool is_channels_last(const torch::Tensor& images) {
  return images.is_contiguous(torch::MemoryFormat::ChannelsLast);
}

void check_outputs(const torch::Tensor& images, const torch::Tensor& targets,
                   const torch::Tensor& pixels) {
  const bool shapes_fit = images.dim() == 4 && images.size(1) == 3 &&
                          images.size(2) == pixels.size(1) && images.size(3) == pixels.size(2) &&
                          targets.dim() == 1 && targets.size(0) == images.size(0);
  const bool memory_fits = (images.is_contiguous() || is_channels_last(images)) &&
                           targets.is_contiguous() && targets.scalar_type() == torch::kInt64 &&
                           images.device() == pixels.device() &&
                           targets.device() == pixels.device();
  if (!shapes_fit || !memory_fits) {
    throw core::usage_error("a batch of {}x{} pixels on {} does not fit images {} and targets {}",
                            pixels.size(1), pixels.size(2), pixels.device().str(),
                            images.toString() + c10::str(images.sizes()),
                            targets.toString() + c10::str(targets.sizes()));
  }
}

}  // namespace

BatchOptions batch_options(const config::DataOptions& options, Split split, uint64_t seed,
                           kernels::Backend backend, torch::Device device) {
  BatchOptions result;
  result.seed = seed;
  result.mean = options.mean;
  result.std = options.std;
  result.backend = backend;
  result.device = device;
  if (split == Split::train) {
    result.shuffle = true;
    result.augmentation = augmentation(options);
  }
  return result;
}

BatchSource::BatchSource(ImageSet set, const BatchOptions& options)
    : set_(std::move(set)), options_(options) {
  if (options.device.is_cpu() == (options.backend == kernels::Backend::cuda)) {
    throw core::usage_error("the kernels of the batches do not run on {}", options.device.str());
  }
  set_.pixels = set_.pixels.to(options.device);
  set_.labels = set_.labels.to(options.device);
  const int64_t order_size = options.shuffle ? size() : 0;
  state_ = torch::empty({kOrder + order_size}, set_.labels.options());
  start_epoch(0);
}

void BatchSource::start_epoch(int64_t epoch) {
  // A fresh buffer each time: freed pinned memory stays untouched until the copies that torch has
  // enqueued from it are done, so nothing need be waited for here.
  const bool on_cpu = state_.device().is_cpu();
  torch::Tensor state =
      on_cpu
          ? state_
          : torch::empty(state_.sizes(), torch::TensorOptions(torch::kInt64).pinned_memory(true));
  int64_t* numbers = state.data_ptr<int64_t>();
  numbers[kCursor] = 0;
  numbers[kEpoch] = epoch;
  shuffle({numbers + kOrder, numbers + state.numel()}, options_.seed, epoch);
  if (!on_cpu) state_.copy_(state, /*non_blocking=*/true);
}

void BatchSource::set_cursor(int64_t position) {
  state_.select(0, kCursor).fill_(position);
}

void BatchSource::assemble(const torch::Tensor& images, const torch::Tensor& targets) {
  check_outputs(images, targets, set_.pixels);
  const c10::DeviceGuard guard(set_.pixels.device());
  const int64_t* state = state_.const_data_ptr<int64_t>();
  kernels::AssembleBatch batch{
      .pixels = set_.pixels.const_data_ptr<uint8_t>(),
      .labels = set_.labels.const_data_ptr<int64_t>(),
      .image_count = set_.pixels.size(0),
      .height = height(),
      .width = width(),
      .order = options_.shuffle ? state + kOrder : nullptr,
      .cursor = state + kCursor,
      .epoch = state + kEpoch,
      .seed = options_.seed,
      .augmentation = options_.augmentation,
      .batch = images.size(0),
      .images = tensor::output(images),
      .channels_last = is_channels_last(images),
      .targets = targets.mutable_data_ptr<int64_t>(),
  };
  std::ranges::copy(options_.mean, batch.mean);
  std::ranges::copy(options_.std, batch.std);
  kernels::assemble_batch(options_.backend, batch, tensor::current_stream(set_.pixels.device()));
  state_.select(0, kCursor).add_(batch.batch);
}

}  // namespace lowbit::data
