#include "pixel_source.h"

#include "lowbit/kernels/types.h"

namespace lowbit::app {
namespace {

constexpr double kByte = 255;

torch::Tensor per_channel(const std::array<double, 3>& numbers) {
  return torch::tensor(std::vector<double>(numbers.begin(), numbers.end()), torch::kFloat32)
      .view({1, 3, 1, 1});
}

// With these a batch holds the bytes themselves, as real numbers.
config::DataOptions as_bytes(config::DataOptions options) {
  options.mean = {0, 0, 0};
  options.std = {1 / kByte, 1 / kByte, 1 / kByte};
  if (options.dataset == "dali") options.dataset = "imagenet";
  options.addition_augment = false;
  return options;
}

std::unique_ptr<data::BatchSource> open_exact(const config::DataOptions& options,
                                              data::Split split) {
  data::BatchOptions batches =
      data::batch_options(options, split, /*seed=*/1, kernels::Backend::cpu, torch::kCPU);
  batches.exact = true;
  return data::open_batches(options, split, batches);
}

}  // namespace

PixelSource::PixelSource(config::DataOptions options, data::Split split)
    : source_(open_exact(as_bytes(std::move(options)), split)) {
  source_->start_epoch(0);
}

PixelSource::Batch PixelSource::fetch(int64_t first, int64_t count) {
  const torch::Tensor images =
      torch::empty({count, 3, source_->height(), source_->width()}, torch::kFloat32);
  Batch batch{{}, torch::empty({count}, torch::kInt64)};
  source_->assemble_at(first, images, batch.labels);
  batch.pixels = images.round().to(torch::kUInt8).permute({0, 2, 3, 1}).contiguous();
  return batch;
}

torch::Tensor normalized(const torch::Tensor& pixels, const config::DataOptions& options) {
  const torch::Tensor values = pixels.permute({0, 3, 1, 2}).to(torch::kFloat32) / kByte;
  return ((values - per_channel(options.mean)) / per_channel(options.std)).contiguous();
}

}  // namespace lowbit::app
