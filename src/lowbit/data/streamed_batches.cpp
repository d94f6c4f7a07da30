#include "lowbit/data/streamed_batches.h"

#include <ATen/Parallel.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "lowbit/core/error.h"
#include "lowbit/core/log.h"
#include "lowbit/core/threads.h"
#include "lowbit/data/gpu_samples.h"
#include "lowbit/data/imagenet.h"
#include "lowbit/data/packed_index.h"
#include "lowbit/kernels/augment.h"
#include "lowbit/tensor/tensor.h"

namespace lowbit::data {
namespace {

StreamOptions stream_options(const config::DataOptions& data, Split split,
                             const BatchOptions& options) {
  const bool train = split == Split::train;
  // Launchers of several processes set OMP_NUM_THREADS to 1, which is not for these threads. Where
  // the CPU trains the calling thread is pinned to one core.
  const int most = std::max(core::usable_cores(), at::get_num_threads());
  return {.recipe = {.side = data.input_size,
                     .random = train,
                     .jitter = train && data.addition_augment,
                     .fractions = train && !options.exact,
                     .seed = options.seed},
          .lighting = train && data.addition_augment,
          .skip_damaged = data.skip_damaged,
          .threads = std::clamp(data.workers, 1, most),
          .pinned = !options.device.is_cpu()};
}

// What makes samples on the GPU; null where the CPU is to.
std::unique_ptr<BatchMaker> gpu_samples(const config::DataOptions& data,
                                        const StreamOptions& stream, torch::Device device) {
  if (data.dataset != "dali") return nullptr;
  try {
    return open_gpu_samples(stream.recipe, device,
                            data.cpu_share.value_or(balanced_cpu_share(stream.threads)));
  } catch (const core::Error& error) {
    core::warn_once(fmt::format("data set dali: the CPU decodes: {}", error.what()));
    return nullptr;
  }
}

}  // namespace

StreamedBatches::StreamedBatches(const config::DataOptions& data, Split split,
                                 const BatchOptions& options)
    : StreamedBatches(data, split, options, stream_options(data, split, options)) {}

StreamedBatches::StreamedBatches(const config::DataOptions& data, Split split,
                                 const BatchOptions& options, const StreamOptions& stream)
    : options_(options),
      stream_(open_pictures(data, split), stream, gpu_samples(data, stream, options.device)) {
  require_backend(options);
  epoch_ = torch::empty({1}, torch::dtype(torch::kInt64).device(options.device));
  options_.device = epoch_.device();  // with its number, as that of every tensor
  start_epoch(0);
}

void StreamedBatches::start_epoch(int64_t epoch) {
  wanted_epoch_ = epoch;
  decode(epoch);
  epoch_.fill_(epoch);
  first_ = -1;
}

void StreamedBatches::decode(int64_t epoch) {
  if (epoch == decoded_epoch_) return;
  // The stream looks at the order while it decodes.
  stream_.stop();
  order_ = order_of_epoch(options_, size(), epoch);
  stream_.start_epoch(epoch, order_);
  decoded_epoch_ = epoch;
}

// While the device has still a step or two, and the threads nothing.
void StreamedBatches::begin_next_epoch() {
  order_ = order_of_epoch(options_, size(), ++decoded_epoch_);
  stream_.go_on_with(decoded_epoch_, order_);
}

void StreamedBatches::fetch(int64_t first, int64_t count) {
  if (first == first_ && count == count_) return;
  // The stream decodes into the memory of the batch before this one next.
  if (arrived_) arrived_->synchronize();
  first_ = -1;
  decode(wanted_epoch_);
  const DecodedBatch& batch = stream_.batch(first, count);
  for (const SkippedImage& image : batch.skipped) {
    const std::string line = fmt::format("{}: {}", image.name, image.reason);
    core::warn_once("skipped " + line);
    if (skipped_.count++ == 0) skipped_.first = line;
  }
  stage(batch, count);
  first_ = first;
  count_ = count;
  const bool last = first + count == static_cast<int64_t>(order_.size());
  if (last && options_.shuffle) begin_next_epoch();
}

void StreamedBatches::stage(const DecodedBatch& batch, int64_t count) {
  Samples used{batch.pixels_on_device.defined() ? batch.pixels_on_device : batch.pixels,
               batch.labels, batch.indices, batch.lighting};
  for (const auto part : kParts)
    if ((used.*part).defined()) used.*part = (used.*part).narrow(0, 0, count);
  Staged& staged = staged_[count];
  if (options_.device.is_cpu())
    staged.ready = used;
  else
    send(used, staged);
}

void StreamedBatches::send(const Samples& used, Staged& staged) {
  const c10::impl::VirtualGuardImpl device(options_.device.type());
  const c10::Stream steps = device.getStream(options_.device);
  if (!way_) {
    way_ = device.getStreamFromGlobalPool(options_.device);
    arrived_.emplace(options_.device.type());
    copied_.emplace(options_.device.type());
  }
  for (const auto part : kParts) {
    const torch::Tensor& from = used.*part;
    if (!from.defined()) continue;
    // Made on a stream of its own, which may not have its memory back before it is copied.
    if (!from.is_cpu()) from.record_stream(*way_);
    if ((staged.ready.*part).defined()) continue;
    staged.ready.*part = torch::empty_like(from, torch::device(options_.device));
    staged.arriving.*part = torch::empty_like(from, torch::device(options_.device));
    (staged.arriving.*part).record_stream(*way_);
    copied_->record(steps);  // what had this memory before may still be at work
  }
  const auto copy = [&](Samples& to, const Samples& from) {
    for (const auto part : kParts)
      if ((from.*part).defined()) (to.*part).copy_(from.*part, /*non_blocking=*/true);
  };
  {
    const c10::StreamGuard guard(*way_);
    copied_->block(*way_);
    copy(staged.arriving, used);
    arrived_->record(*way_);
  }
  arrived_->block(steps);
  copy(staged.ready, staged.arriving);
  copied_->record(steps);
}

void StreamedBatches::assemble(const torch::Tensor& images, const torch::Tensor& targets) {
  require_outputs(images, targets, height(), width(), options_.device);
  if (first_ < 0 || images.size(0) != count_)
    throw core::usage_error("{} samples are assembled, but {} were fetched", images.size(0),
                            first_ < 0 ? 0 : count_);
  const c10::DeviceGuard guard(options_.device);
  const Samples& samples = staged_.at(count_).ready;
  kernels::AssembleBatch batch = batch_arguments(options_, images, targets);
  batch.pixels = samples.pixels.const_data_ptr<uint8_t>();
  batch.labels = samples.labels.const_data_ptr<int64_t>();
  batch.image_count = count_;
  batch.epoch = epoch_.const_data_ptr<int64_t>();
  batch.indices = samples.indices.const_data_ptr<int64_t>();
  if (samples.lighting.defined()) batch.lighting = samples.lighting.const_data_ptr<float>();
  kernels::assemble_batch(options_.backend, batch, tensor::current_stream(options_.device));
}

Skipped StreamedBatches::take_skipped() {
  return std::exchange(skipped_, {});
}

uint64_t StreamedBatches::checksum() const {
  std::string text = fmt::format("{}", fmt::join(class_names(), "\n"));
  for (int64_t i = 0; i < size(); ++i) text += fmt::format(" {}", stream_.images().label(i));
  return checksum_of(text);
}

}  // namespace lowbit::data
