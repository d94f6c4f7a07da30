// Batches of photographs that are decoded while they are asked for.
#include "lowbit/data/streamed_batches.h"

#include <gmock/gmock.h>
#include <torch/cuda.h>

#include <fstream>

#include "batch.h"
#include "lowbit/core/files.h"
#include "lowbit/data/shuffle.h"
#include "made_files.h"
#include "photographs.h"
#include "support/resident_memory.h"

namespace lowbit::data {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr int64_t kStreamedSide = 40, kStreamedSamples = 23;

Batch batch_at(BatchSource& source, int64_t first, int64_t size,
               torch::TensorOptions type = torch::kFloat32) {
  Batch batch{torch::empty({size, 3, kStreamedSide, kStreamedSide}, type),
              torch::empty({size}, type.dtype(torch::kInt64))};
  source.assemble_at(first, batch.images, batch.targets);
  return batch;
}

// The photographs of the fixtures in three classes, again and again.
class Streamed : public FolderTest {
 protected:
  Streamed() {
    ::setenv("XDG_CACHE_HOME", (folder() / "cache").c_str(), 1);
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(photograph_folder()))
      if (fs::file_size(entry) < 80'000) files.push_back(entry.path());
    std::ranges::sort(files);
    for (int64_t i = 0; i < kStreamedSamples; ++i) {
      const fs::path to = folder() / "train" / std::string(1, static_cast<char>('a' + i / 9)) /
                          fmt::format("{:03}.jpg", i);
      fs::create_directories(to.parent_path());
      fs::copy_file(files[static_cast<size_t>(i) % files.size()], to);
      samples_.push_back(to);
    }
  }

  config::DataOptions data(int workers = 2) const {
    config::DataOptions options = options_for("imagenet", folder());
    options.input_size = kStreamedSide;
    options.mean = {.485, .456, .406};
    options.std = {.229, .224, .225};
    options.workers = workers;
    return options;
  }
  static std::unique_ptr<BatchSource> open(const config::DataOptions& options,
                                           torch::Device device = torch::kCPU) {
    return open_batches(options, Split::train, 2,
                        device.is_cpu() ? kernels::Backend::cpu : kernels::Backend::cuda, device);
  }
  std::string error_at(BatchSource& source, int64_t first, int64_t size) const {
    try {
      batch_at(source, first, size);
    } catch (const core::Error& error) {
      return error.what();
    }
    return "nothing was thrown";
  }
  void damage(int64_t sample) const {
    std::ofstream(samples_[static_cast<size_t>(sample)]) << "no picture";
  }

  std::vector<fs::path> samples_;
};

TEST_F(Streamed, GiveEverySampleOnceAnEpochInANewOrder) {
  const auto source = open(data());
  EXPECT_EQ(source->size(), kStreamedSamples);
  EXPECT_EQ(source->height(), kStreamedSide);
  EXPECT_THAT(source->class_names(), testing::ElementsAre("a", "b", "c"));
  std::vector<torch::Tensor> epochs;
  for (int64_t epoch = 0; epoch < 2; ++epoch) {
    source->start_epoch(epoch);
    std::vector<torch::Tensor> targets;
    for (int64_t first = 0; first < kStreamedSamples; first += 8)
      targets.push_back(
          batch_at(*source, first, std::min<int64_t>(8, kStreamedSamples - first)).targets);
    epochs.push_back(torch::cat(targets));
    EXPECT_TRUE(epochs.back().bincount().equal(torch::tensor({9, 9, 5})));
  }
  EXPECT_FALSE(epochs[0].equal(epochs[1]));
}

// The whole way by hand: file, crop, flip, normalization.
TEST_F(Streamed, AreTheSamplesOfTheirFilesFlippedAndNormalized) {
  const auto source = open(data());
  source->start_epoch(3);
  std::vector<int64_t> order(kStreamedSamples);
  shuffle(order, 2, 3);
  const Batch batch = batch_at(*source, 4, 6);
  SampleMaker maker({.side = kStreamedSide, .random = true, .fractions = true, .seed = 2});
  int flips = 0;
  for (int64_t b = 0; b < 6; ++b) {
    const int64_t index = order[static_cast<size_t>(4 + b)];
    torch::Tensor pixels = torch::empty({kStreamedSide, kStreamedSide, 3}, torch::kUInt8);
    const std::string bytes = core::read_file(samples_[static_cast<size_t>(index)]);
    maker.make(*open_picture(bytes), 3, index,
               {pixels.data_ptr<uint8_t>(), static_cast<size_t>(pixels.numel())});
    torch::Tensor expected = pixels.permute({2, 0, 1}).to(torch::kFloat32).div(255);
    const bool flip = kernels::draw_placement({.flip = true}, 2, 3, index).flip;
    if (flip) expected = expected.flip(2);
    flips += flip;
    const auto channels = [](std::vector<float> values) {
      return torch::tensor(values).view({3, 1, 1});
    };
    expected = expected.sub(channels({.485f, .456f, .406f})).div(channels({.229f, .224f, .225f}));
    EXPECT_TRUE(batch.images[b].equal(expected)) << b;
    EXPECT_EQ(batch.targets[b].item<int64_t>(), index / 9);
  }
  EXPECT_GT(flips, 0);
  EXPECT_LT(flips, 6);
}

TEST_F(Streamed, AreTheSameWithAnyNumberOfThreadsAndFromAnyPlace) {
  const auto one = open(data(1)), more = open(data(3));
  one->start_epoch(1);
  more->start_epoch(1);
  const Batch all = batch_at(*one, 0, kStreamedSamples);
  for (const int64_t first : {0, 5, 10, 15, 7, 7, 0}) {
    const Batch part = batch_at(*more, first, 5);
    EXPECT_TRUE(part.images.equal(all.images.slice(0, first, first + 5))) << first;
    EXPECT_TRUE(part.targets.equal(all.targets.slice(0, first, first + 5))) << first;
  }
}

// When an epoch has been given, the next one is begun: what is asked for then may be that or not.
TEST_F(Streamed, AreTheSameWhateverFollowsTheLastBatchOfAnEpoch) {
  const auto fresh = [&](int64_t epoch, int64_t first, int64_t count) {
    const auto source = open(data());
    source->start_epoch(epoch);
    return batch_at(*source, first, count);
  };
  const auto source = open(data());
  const auto give_whole_epoch = [&] {
    source->start_epoch(1);
    for (int64_t first = 0; first < kStreamedSamples; first += 8)
      source->fetch(first, std::min<int64_t>(8, kStreamedSamples - first));
  };
  struct Next {
    int64_t epoch, first, count;
  };
  for (const Next next : {Next{2, 0, 8}, {2, 0, 5}, {2, 3, 8}, {1, 0, 8}, {1, 16, 7}, {4, 0, 8}}) {
    give_whole_epoch();
    if (next.epoch != 1) source->start_epoch(next.epoch);
    const Batch got = batch_at(*source, next.first, next.count);
    const Batch expected = fresh(next.epoch, next.first, next.count);
    EXPECT_TRUE(got.images.equal(expected.images)) << next.epoch << ' ' << next.first;
    EXPECT_TRUE(got.targets.equal(expected.targets)) << next.epoch << ' ' << next.first;
  }
}

TEST_F(Streamed, WithMoreAugmentationChangeColorsAndLight) {
  config::DataOptions options = data();
  const Batch plain = batch_at(*open(options), 0, 8);
  options.addition_augment = true;
  const Batch changed = batch_at(*open(options), 0, 8);
  EXPECT_TRUE(plain.targets.equal(changed.targets));
  EXPECT_EQ((plain.images == changed.images).flatten(1).all(1).sum().item<int64_t>(), 0);
  const Batch again = batch_at(*open(options), 0, 8);
  EXPECT_TRUE(again.images.equal(changed.images));
}

TEST_F(Streamed, OfValidationAreThePicturesMiddleInTheOrderOfTheFiles) {
  fs::rename(folder() / "train", folder() / "val");
  config::DataOptions options = data();
  options.addition_augment = true;
  const auto source =
      open_batches(options, Split::validation, 2, kernels::Backend::cpu, torch::kCPU);
  source->start_epoch(0);
  const Batch first = batch_at(*source, 0, kStreamedSamples);
  EXPECT_TRUE(std::get<0>(first.targets.sort()).equal(first.targets));
  source->start_epoch(1);
  EXPECT_TRUE(batch_at(*source, 0, kStreamedSamples).images.equal(first.images));
}

TEST_F(Streamed, NameADamagedFileWhenItsTurnComes) {
  damage(11);
  const auto source = open(data());
  source->start_epoch(0);
  std::vector<int64_t> order(kStreamedSamples);
  shuffle(order, 2, 0);
  const int64_t place = std::ranges::find(order, 11) - order.begin();
  for (int64_t first = 0; first < kStreamedSamples; ++first) {
    const std::string error = error_at(*source, first, 1);
    EXPECT_EQ(error, first == place ? samples_[11].string() + ": neither JPEG nor PNG"
                                    : "nothing was thrown");
  }
  damage(3);
  EXPECT_THAT(error_at(*source, 0, kStreamedSamples), HasSubstr("neither JPEG nor PNG"));
}

TEST_F(Streamed, MaySkipDamagedFilesAndCountThem) {
  damage(11);
  damage(12);
  config::DataOptions options = data();
  options.skip_damaged = true;
  const auto source = open(options);
  for (int64_t epoch = 0; epoch < 2; ++epoch) {
    source->start_epoch(epoch);
    std::vector<int64_t> order(kStreamedSamples);
    shuffle(order, 2, epoch);
    const auto place_of = [&](int64_t index) {
      return std::ranges::find(order, index) - order.begin();
    };
    const Batch batch = batch_at(*source, 0, kStreamedSamples);
    // Both are replaced by the image behind them.
    for (const int64_t index : {11, 12})
      EXPECT_TRUE(batch.images[place_of(index)].equal(batch.images[place_of(13)]));
    const Skipped skipped = source->take_skipped();
    EXPECT_EQ(skipped.count, 3);  // 11, and 12 in its place, and 12
    EXPECT_EQ(skipped.first, samples_[11].string() + ": neither JPEG nor PNG");
    EXPECT_EQ(source->take_skipped().count, 0);
  }
}

// A broken download: the crops of most epochs do not reach the gap.
TEST_F(Streamed, FindDamageInTheFirstEpochWithAnySeed) {
  fs::copy_file(photograph_folder() / "n02268443_dragonfly.JPEG", samples_[7],
                fs::copy_options::overwrite_existing);
  fs::resize_file(samples_[7], fs::file_size(samples_[7]) * 97 / 100);
  config::DataOptions options = data();
  for (const uint64_t seed : {1, 2, 3, 4}) {
    for (const bool skip : {false, true}) {
      options.skip_damaged = skip;
      const auto source =
          open_batches(options, Split::train, seed, kernels::Backend::cpu, torch::kCPU);
      for (int64_t epoch = 0; epoch < 2; ++epoch) {
        source->start_epoch(epoch);
        const std::string error = error_at(*source, 0, kStreamedSamples);
        EXPECT_THAT(error, skip ? HasSubstr("nothing was thrown")
                                : HasSubstr(samples_[7].string() + ": JPEG: Premature end"));
        EXPECT_EQ(source->take_skipped().count, skip ? 1 : 0) << seed;
      }
    }
  }
}

// The half size would be enough for them.
TEST_F(Streamed, AreExactInValidationAndWhereThatIsAskedFor) {
  fs::remove_all(folder() / "train");
  for (const char* split : {"train", "val"}) {
    fs::create_directories(folder() / split / "a");
    fs::copy_file(photograph_folder() / "n03594945_jeep.JPEG", folder() / split / "a/1.jpg");
  }
  const std::string bytes = core::read_file(folder() / "val/a/1.jpg");
  config::DataOptions options = options_for("imagenet", folder());
  options.input_size = kStreamedSide;
  for (const Split split : kSplits)
    for (const bool exact : {false, true}) {
      BatchOptions batches = batch_options(options, split, 2, kernels::Backend::cpu, torch::kCPU);
      batches.augmentation = {};
      batches.mean = {0, 0, 0};
      batches.std = {1 / 255.0, 1 / 255.0, 1 / 255.0};
      batches.exact = exact;
      const torch::Tensor seen = batch_at(*open_batches(options, split, batches), 0, 1).images;
      SampleRecipe recipe{.side = kStreamedSide, .random = split == Split::train, .seed = 2};
      recipe.fractions = split == Split::train && !exact;
      torch::Tensor pixels = torch::empty({1, kStreamedSide, kStreamedSide, 3}, torch::kUInt8);
      SampleMaker(recipe).make(*open_picture(bytes), 0, 0,
                               {pixels.data_ptr<uint8_t>(), static_cast<size_t>(pixels.numel())});
      EXPECT_TRUE(seen.round().to(torch::kUInt8).equal(pixels.permute({0, 3, 1, 2})));
    }
}

TEST_F(Streamed, OfDamagedFilesAloneAreAnError) {
  for (int64_t i = 0; i < kStreamedSamples; ++i) damage(i);
  config::DataOptions options = data();
  options.skip_damaged = true;
  EXPECT_EQ(error_at(*open(options), 0, 4), "none of the 23 images can be read");
}

TEST_F(Streamed, RefuseWhatWasNotFetched) {
  const auto source = open(data());
  const Batch batch = batch_at(*source, 0, 4);
  source->fetch(4, 5);
  EXPECT_THROW(source->assemble(batch.images, batch.targets), core::Error);
  source->start_epoch(0);
  EXPECT_THROW(source->assemble(batch.images, batch.targets), core::Error);
  EXPECT_THROW(batch_at(*source, 0, 4, torch::kInt32), core::Error);
  EXPECT_THROW(load(data(), Split::train), core::Error);
}

TEST_F(Streamed, MayBeGivenUpAtAnyTime) {
  for (int i = 0; i < 20; ++i) {
    const auto source = open(data(3));
    if (i % 2) source->fetch(0, 2);
    if (i % 4 == 3) source->start_epoch(1);
  }
}

TEST_F(Streamed, TakeNoMoreMemoryAsTheEpochsGoOn) {
  const auto source = open(data());
  const auto epoch = [&](int64_t number) {
    source->start_epoch(number);
    for (int64_t first = 0; first + 4 <= kStreamedSamples; first += 4) batch_at(*source, first, 4);
  };
  for (int64_t i = 0; i < 3; ++i) epoch(i);
  const int64_t before = testing_support::resident_kilobytes();
  for (int64_t i = 3; i < 15; ++i) epoch(i);
  // 240 decoded photographs would be 100 MB.
  EXPECT_LT(testing_support::resident_kilobytes() - before, 16'000);
}

TEST_F(Streamed, OnAGpuHaveTheBitsOfTheCpu) {
  if (!torch::cuda::is_available()) GTEST_SKIP() << "there is no GPU";
  config::DataOptions options = data();
  options.addition_augment = true;
  const auto cpu = open(options), gpu = open(options, torch::kCUDA);
  torch::Tensor busy = torch::zeros({4096, 4096}, torch::kCUDA);
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    cpu->start_epoch(epoch);
    gpu->start_epoch(epoch);
    std::vector<Batch> batches;
    const auto count = [](int64_t first) { return std::min<int64_t>(4, kStreamedSamples - first); };
    for (int64_t first = 0; first < kStreamedSamples; first += 4) {
      // Batches arrive long before they are used: none may be overwritten by the next.
      for (int i = 0; i < 8; ++i) busy = busy.mm(busy);
      batches.push_back(batch_at(*gpu, first, count(first), torch::TensorOptions(torch::kCUDA)));
    }
    for (size_t i = 0; i < batches.size(); ++i) {
      const auto first = static_cast<int64_t>(i) * 4;
      const Batch expected = batch_at(*cpu, first, count(first));
      EXPECT_TRUE(batches[i].images.cpu().equal(expected.images)) << epoch << ' ' << i;
      EXPECT_TRUE(batches[i].targets.cpu().equal(expected.targets)) << epoch << ' ' << i;
    }
  }
}

}  // namespace
}  // namespace lowbit::data
