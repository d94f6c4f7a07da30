#include "lowbit/data/streamed_batches.h"

#include <ATen/Parallel.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <utility>

#include "lowbit/core/error.h"
#include "lowbit/core/log.h"
#include "lowbit/data/gpu_samples.h"
#include "lowbit/data/imagenet.h"
#include "lowbit/kernels/augment.h"
#include "lowbit/tensor/tensor.h"

namespace lowbit::data {
namespace {

StreamOptions stream_options(const config::DataOptions& data, Split split,
                             const BatchOptions& options) {
  const bool train = split == Split::train;
  return {.recipe = {.side = data.input_size,
                     .random = train,
                     .jitter = train && data.addition_augment,
                     .seed = options.seed},
          .lighting = train && data.addition_augment,
          .skip_damaged = data.skip_damaged,
          .threads = std::clamp(data.workers, 1, at::get_num_threads()),
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
  // The stream looks at the order while it decodes.
  stream_.stop();
  order_ = order_of_epoch(options_, size(), epoch);
  stream_.start_epoch(epoch, order_);
  epoch_.fill_(epoch);
  first_ = -1;
}

void StreamedBatches::fetch(int64_t first, int64_t count) {
  if (first == first_ && count == count_) return;
  // The stream decodes into the memory of the batch before this one next.
  if (taken_) taken_->synchronize();
  first_ = -1;
  const DecodedBatch& batch = stream_.batch(first, count);
  for (const SkippedImage& image : batch.skipped) {
    const std::string line = fmt::format("{}: {}", image.name, image.reason);
    core::warn_once("skipped " + line);
    if (skipped_.count++ == 0) skipped_.first = line;
  }
  stage(batch, count);
  first_ = first;
  count_ = count;
}

void StreamedBatches::stage(const DecodedBatch& batch, int64_t count) {
  const bool on_cpu = options_.device.is_cpu();
  Staged& staged = staged_[count];
  const auto bring = [&](torch::Tensor& to, const torch::Tensor& from) {
    if (!from.defined()) return;
    const torch::Tensor used = from.narrow(0, 0, count);
    if (on_cpu) {
      to = used;
      return;
    }
    if (!to.defined()) to = torch::empty_like(used, torch::device(options_.device));
    to.copy_(used, /*non_blocking=*/true);
  };
  bring(staged.pixels, batch.pixels_on_device.defined() ? batch.pixels_on_device : batch.pixels);
  bring(staged.labels, batch.labels);
  bring(staged.indices, batch.indices);
  bring(staged.lighting, batch.lighting);
  if (on_cpu) return;
  const c10::Stream stream =
      c10::impl::VirtualGuardImpl(options_.device.type()).getStream(options_.device);
  // They belong to another stream, which may not have their memory back before they are copied.
  if (batch.pixels_on_device.defined()) batch.pixels_on_device.record_stream(stream);
  if (!taken_) taken_.emplace(options_.device.type());
  taken_->record(stream);
}

void StreamedBatches::assemble(const torch::Tensor& images, const torch::Tensor& targets) {
  require_outputs(images, targets, height(), width(), options_.device);
  if (first_ < 0 || images.size(0) != count_)
    throw core::usage_error("{} samples are assembled, but {} were fetched", images.size(0),
                            first_ < 0 ? 0 : count_);
  const c10::DeviceGuard guard(options_.device);
  const Staged& staged = staged_.at(count_);
  kernels::AssembleBatch batch = batch_arguments(options_, images, targets);
  batch.pixels = staged.pixels.const_data_ptr<uint8_t>();
  batch.labels = staged.labels.const_data_ptr<int64_t>();
  batch.image_count = count_;
  batch.epoch = epoch_.const_data_ptr<int64_t>();
  batch.indices = staged.indices.const_data_ptr<int64_t>();
  if (staged.lighting.defined()) batch.lighting = staged.lighting.const_data_ptr<float>();
  kernels::assemble_batch(options_.backend, batch, tensor::current_stream(options_.device));
}

Skipped StreamedBatches::take_skipped() {
  return std::exchange(skipped_, {});
}

}  // namespace lowbit::data
