#include "lowbit/data/batches.h"

#include <c10/core/DeviceGuard.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <numeric>

#include "lowbit/core/error.h"
#include "lowbit/data/packed_index.h"
#include "lowbit/data/shuffle.h"
#include "lowbit/data/streamed_batches.h"
#include "lowbit/kernels/augment.h"
#include "lowbit/tensor/tensor.h"

namespace lowbit::data {
namespace {

// What stands in front of the order in state_.
constexpr int64_t kCursor = 0, kEpoch = 1, kOrder = 2;

bool is_channels_last(const torch::Tensor& images) {
  return images.is_contiguous(torch::MemoryFormat::ChannelsLast);
}

}  // namespace

void require_backend(const BatchOptions& options) {
  if (options.device.is_cpu() == (options.backend == kernels::Backend::cuda))
    throw core::usage_error("the kernels of the batches do not run on {}", options.device.str());
}

void require_outputs(const torch::Tensor& images, const torch::Tensor& targets, int64_t height,
                     int64_t width, torch::Device device) {
  const bool shapes_fit = images.dim() == 4 && images.size(1) == 3 && images.size(2) == height &&
                          images.size(3) == width && targets.dim() == 1 &&
                          targets.size(0) == images.size(0);
  const bool memory_fits = (images.is_contiguous() || is_channels_last(images)) &&
                           targets.is_contiguous() && targets.scalar_type() == torch::kInt64 &&
                           images.device() == device && targets.device() == device;
  if (!shapes_fit || !memory_fits) {
    throw core::usage_error("a batch of {}x{} pixels on {} does not fit images {} and targets {}",
                            height, width, device.str(),
                            images.toString() + c10::str(images.sizes()),
                            targets.toString() + c10::str(targets.sizes()));
  }
}

kernels::AssembleBatch batch_arguments(const BatchOptions& options, const torch::Tensor& images,
                                       const torch::Tensor& targets) {
  kernels::AssembleBatch batch{
      .height = images.size(2),
      .width = images.size(3),
      .seed = options.seed,
      .augmentation = options.augmentation,
      .batch = images.size(0),
      .images = tensor::output(images),
      .channels_last = is_channels_last(images),
      .targets = targets.mutable_data_ptr<int64_t>(),
  };
  std::ranges::copy(options.mean, batch.mean);
  std::ranges::copy(options.std, batch.std);
  return batch;
}

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

std::vector<int64_t> order_of_epoch(const BatchOptions& options, int64_t size, int64_t epoch) {
  std::vector<int64_t> order(static_cast<size_t>(size));
  if (options.shuffle)
    shuffle(order, options.seed, epoch);
  else
    std::iota(order.begin(), order.end(), 0);
  return options.shard.count == 1 ? order : options.shard.part_of(order);
}

std::unique_ptr<BatchSource> open_batches(const config::DataOptions& data, Split split,
                                          uint64_t seed, kernels::Backend backend,
                                          torch::Device device, int rank, int processes) {
  BatchOptions options = batch_options(data, split, seed, backend, device);
  options.shard = {rank, processes, split == Split::train ? data.train_batch : data.val_batch};
  return open_batches(data, split, options);
}

std::unique_ptr<BatchSource> open_batches(const config::DataOptions& data, Split split,
                                          const BatchOptions& options) {
  if (is_streamed(data)) return std::make_unique<StreamedBatches>(data, split, options);
  return std::make_unique<ResidentBatches>(load(data, split), options);
}

void BatchSource::assemble_at(int64_t first, const torch::Tensor& images,
                              const torch::Tensor& targets) {
  set_cursor(first);
  fetch(first, targets.size(0));
  assemble(images, targets);
}

ResidentBatches::ResidentBatches(ImageSet set, const BatchOptions& options)
    : set_(std::move(set)),
      options_(options),
      ordered_(options.shuffle || options.shard.count > 1) {
  require_backend(options);
  set_.pixels = set_.pixels.to(options.device);
  set_.labels = set_.labels.to(options.device);
  start_epoch(0);
}

void ResidentBatches::start_epoch(int64_t epoch) {
  const std::vector<int64_t> order =
      ordered_ ? order_of_epoch(options_, size(), epoch) : std::vector<int64_t>();
  // A fresh buffer each time: freed pinned memory stays untouched until the copies that torch has
  // enqueued from it are done, so nothing need be waited for here.
  const bool on_cpu = set_.labels.device().is_cpu();
  const torch::Tensor state =
      torch::empty({kOrder + static_cast<int64_t>(order.size())},
                   torch::TensorOptions(torch::kInt64).pinned_memory(!on_cpu));
  int64_t* numbers = state.data_ptr<int64_t>();
  numbers[kCursor] = 0;
  numbers[kEpoch] = epoch;
  std::ranges::copy(order, numbers + kOrder);
  // Captured steps know its address.
  if (!state_.defined()) state_ = torch::empty_like(state, set_.labels.options());
  state_.copy_(state, /*non_blocking=*/true);
}

void ResidentBatches::set_cursor(int64_t position) {
  state_.select(0, kCursor).fill_(position);
}

void ResidentBatches::assemble(const torch::Tensor& images, const torch::Tensor& targets) {
  require_outputs(images, targets, height(), width(), set_.pixels.device());
  const c10::DeviceGuard guard(set_.pixels.device());
  const int64_t* state = state_.const_data_ptr<int64_t>();
  kernels::AssembleBatch batch = batch_arguments(options_, images, targets);
  batch.pixels = set_.pixels.const_data_ptr<uint8_t>();
  batch.labels = set_.labels.const_data_ptr<int64_t>();
  batch.image_count = set_.pixels.size(0);
  batch.order = ordered_ ? state + kOrder : nullptr;
  batch.cursor = state + kCursor;
  batch.epoch = state + kEpoch;
  kernels::assemble_batch(options_.backend, batch, tensor::current_stream(set_.pixels.device()));
  state_.select(0, kCursor).add_(batch.batch);
}

uint64_t ResidentBatches::checksum() const {
  std::string sums = fmt::format("{}", fmt::join(set_.class_names, "\n"));
  for (const torch::Tensor& part : {set_.pixels, set_.labels}) {
    const torch::Tensor host = part.cpu().contiguous();
    sums += fmt::format(
        " {:x}", checksum_of({static_cast<const char*>(host.const_data_ptr()), host.nbytes()}));
  }
  return checksum_of(sums);
}

}  // namespace lowbit::data
