#include "lowbit/data/batches.h"

#include <gmock/gmock.h>
#include <torch/cuda.h>

#include "batch.h"
#include "made_files.h"

namespace lowbit::data {
namespace {

constexpr int64_t kResidentSamples = 40;

ImageSet small_set() {
  ImageSet set;
  set.pixels = torch::arange(kResidentSamples * 6 * 8 * 3)
                   .mul(37)
                   .remainder(256)
                   .to(torch::kUInt8)
                   .view({kResidentSamples, 6, 8, 3});
  set.labels = torch::arange(kResidentSamples);
  set.class_names.resize(kResidentSamples);
  return set;
}

BatchOptions training_options(torch::Device device) {
  BatchOptions options;
  options.seed = 2;
  options.shuffle = true;
  options.augmentation = {.flip = true, .pad = 3};
  options.mean = {.4914, .4822, .4465};
  options.std = {.2023, .1994, .2010};
  options.device = device;
  options.backend = device.is_cpu() ? kernels::Backend::cpu : kernels::Backend::cuda;
  return options;
}

Batch next_batch(BatchSource& source, int64_t size, torch::TensorOptions type = torch::kFloat32,
                 torch::MemoryFormat format = torch::MemoryFormat::Contiguous) {
  Batch batch{torch::empty({size, 3, 6, 8}, type.memory_format(format)),
              torch::empty({size}, type.dtype(torch::kInt64))};
  source.assemble(batch.images, batch.targets);
  return batch;
}

TEST(ResidentBatches, WithoutShuffleOrAugmentationIsTorchvisionsNormalizationInFileOrder) {
  BatchOptions options = training_options(torch::kCPU);
  options.shuffle = false;
  options.augmentation = {};
  const ImageSet set = small_set();
  ResidentBatches source(set, options);
  EXPECT_EQ(source.size(), kResidentSamples);
  const Batch batch = next_batch(source, 10);
  EXPECT_TRUE(batch.targets.equal(torch::arange(10)));
  const auto channels = [](const std::array<double, 3>& values) {
    return torch::tensor({values[0], values[1], values[2]}, torch::kFloat32).view({1, 3, 1, 1});
  };
  const torch::Tensor expected = set.pixels.slice(0, 0, 10)
                                     .permute({0, 3, 1, 2})
                                     .to(torch::kFloat32)
                                     .div(255)
                                     .sub(channels(options.mean))
                                     .div(channels(options.std));
  EXPECT_TRUE(batch.images.equal(expected));
}

TEST(ResidentBatches, WalksThroughTheEpochOnceInANewOrderEachTime) {
  ResidentBatches source(small_set(), training_options(torch::kCPU));
  std::vector<torch::Tensor> orders;
  for (int64_t epoch = 0; epoch < 2; ++epoch) {
    source.start_epoch(epoch);
    std::vector<torch::Tensor> targets;
    for (const int64_t size : {16, 16, 8}) targets.push_back(next_batch(source, size).targets);
    orders.push_back(torch::cat(targets));
    EXPECT_TRUE(std::get<0>(orders.back().sort()).equal(torch::arange(kResidentSamples)));
  }
  EXPECT_FALSE(orders[0].equal(orders[1]));
}

TEST(ResidentBatches, GivesTheSameSamplesInBatchesOfAnySizeAndFromAnyCursor) {
  ResidentBatches whole(small_set(), training_options(torch::kCPU));
  whole.start_epoch(3);
  const Batch all = next_batch(whole, kResidentSamples);
  ResidentBatches parts(small_set(), training_options(torch::kCPU));
  parts.start_epoch(3);
  parts.set_cursor(7);
  for (int64_t begin = 7; begin + 11 <= kResidentSamples; begin += 11) {
    const Batch part = next_batch(parts, 11);
    EXPECT_TRUE(part.images.equal(all.images.slice(0, begin, begin + 11)));
    EXPECT_TRUE(part.targets.equal(all.targets.slice(0, begin, begin + 11)));
  }
}

TEST(ResidentBatches, GivesASampleADifferentPlacementInAnotherEpoch) {
  BatchOptions options = training_options(torch::kCPU);
  options.shuffle = false;
  ResidentBatches source(small_set(), options);
  const Batch first = next_batch(source, kResidentSamples);
  source.start_epoch(1);
  const Batch second = next_batch(source, kResidentSamples);
  EXPECT_TRUE(first.targets.equal(second.targets));
  const int64_t same = (first.images == second.images).flatten(1).all(1).sum().item<int64_t>();
  EXPECT_LT(same, 5);
}

TEST(ResidentBatches, FillsChannelsLastImagesWithTheSameNumbers) {
  ResidentBatches source(small_set(), training_options(torch::kCPU));
  const Batch planes = next_batch(source, 9);
  source.set_cursor(0);
  const Batch pixels = next_batch(source, 9, torch::kFloat32, torch::MemoryFormat::ChannelsLast);
  EXPECT_TRUE(pixels.images.is_contiguous(torch::MemoryFormat::ChannelsLast));
  EXPECT_TRUE(planes.images.equal(pixels.images));
}

TEST(ResidentBatches, RefusesTensorsThatDoNotFit) {
  ResidentBatches source(small_set(), training_options(torch::kCPU));
  const torch::Tensor targets = torch::empty({4}, torch::kInt64);
  const auto refuses = [&](const torch::Tensor& images, const torch::Tensor& labels) {
    EXPECT_THROW(source.assemble(images, labels), core::Error);
  };
  refuses(torch::empty({4, 3, 8, 8}), targets);
  refuses(torch::empty({4, 1, 6, 8}), targets);
  refuses(torch::empty({5, 3, 6, 8}), targets);
  refuses(torch::empty({4, 3, 8, 6}).transpose(2, 3), targets);
  refuses(torch::empty({4, 3, 6, 8}, torch::kInt32), targets);
  refuses(torch::empty({4, 3, 6, 8}, torch::kFloat16), targets);
  refuses(torch::empty({4, 3, 6, 8}), torch::empty({4}, torch::kInt32));
  EXPECT_EQ(next_batch(source, kResidentSamples).targets.sum().item<int64_t>(),
            kResidentSamples * 39 / 2);
}

TEST(ResidentBatches, RefusesABackEndThatDoesNotRunOnTheDevice) {
  BatchOptions options = training_options(torch::kCPU);
  options.backend = kernels::Backend::cuda;
  EXPECT_THROW(ResidentBatches(small_set(), options), core::Error);
}

TEST(BatchOptions, OnlyTrainingSamplesAreShuffledAndAugmented) {
  config::DataOptions data = options_for("cifar10", "");
  data.mean = {.1, .2, .3};
  const auto options = [&](Split split) {
    return batch_options(data, split, 5, kernels::Backend::cpu, torch::kCPU);
  };
  EXPECT_TRUE(options(Split::train).shuffle);
  EXPECT_EQ(options(Split::train).augmentation.pad, 4);
  EXPECT_EQ(options(Split::train).seed, 5u);
  EXPECT_FALSE(options(Split::validation).shuffle);
  EXPECT_EQ(options(Split::validation).augmentation.pad, 0);
  EXPECT_FALSE(options(Split::validation).augmentation.flip);
  EXPECT_EQ(options(Split::validation).mean, data.mean);
}

class ResidentBatchesOnGpu : public testing::Test {
 protected:
  void SetUp() override {
    if (!torch::cuda::is_available()) GTEST_SKIP() << "there is no GPU";
  }
};

TEST_F(ResidentBatchesOnGpu, GivesTheBitsOfTheCpu) {
  ResidentBatches cpu(small_set(), training_options(torch::kCPU));
  ResidentBatches gpu(small_set(), training_options(torch::kCUDA));
  for (const auto format : {torch::MemoryFormat::Contiguous, torch::MemoryFormat::ChannelsLast}) {
    for (const auto type : {torch::kFloat64, torch::kFloat32, torch::kFloat16, torch::kBFloat16}) {
      cpu.start_epoch(4);
      gpu.start_epoch(4);
      const auto host_type = type == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
      for (const int64_t size : {17, 23}) {
        const Batch expected = next_batch(cpu, size, host_type, format);
        const Batch batch =
            next_batch(gpu, size, torch::TensorOptions(type).device(torch::kCUDA), format);
        EXPECT_TRUE(batch.images.cpu().equal(expected.images.to(type))) << type;
        EXPECT_TRUE(batch.targets.cpu().equal(expected.targets));
      }
    }
  }
}

TEST_F(ResidentBatchesOnGpu, EpochsEnqueuedWithoutWaitingDoNotDisturbEachOther) {
  constexpr int64_t kEpochs = 20;
  ResidentBatches cpu(small_set(), training_options(torch::kCPU));
  ResidentBatches gpu(small_set(), training_options(torch::kCUDA));
  std::vector<Batch> batches;
  for (int64_t epoch = 0; epoch < kEpochs; ++epoch) {
    gpu.start_epoch(epoch);
    batches.push_back(next_batch(gpu, kResidentSamples, torch::TensorOptions(torch::kCUDA)));
  }
  for (int64_t epoch = 0; epoch < kEpochs; ++epoch) {
    cpu.start_epoch(epoch);
    const Batch expected = next_batch(cpu, kResidentSamples);
    EXPECT_TRUE(batches[epoch].images.cpu().equal(expected.images)) << epoch;
    EXPECT_TRUE(batches[epoch].targets.cpu().equal(expected.targets)) << epoch;
  }
}

}  // namespace
}  // namespace lowbit::data
