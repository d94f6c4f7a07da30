// Data set dali: the pictures of imagenet, decoded on the GPU where there is one.
#include "lowbit/data/gpu_samples.h"

#include <gmock/gmock.h>
#include <torch/cuda.h>

#include "batch.h"
#include "lowbit/core/files.h"
#include "lowbit/data/batches.h"
#include "lowbit/data/color.h"
#include "lowbit/data/sample_stream.h"
#include "lowbit/data/shuffle.h"
#include "made_files.h"
#include "photographs.h"
#include "support/made_images.h"
#include "support/resident_memory.h"

#ifdef LOWBIT_CUDA
#include "lowbit/kernels/cuda/resample.h"
#endif

namespace lowbit::data {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// Larger than half of every photograph but the jeep: those are never decoded at a fraction.
constexpr int64_t kDaliSide = 256;

torch::Device device() {
  return torch::cuda::is_available() ? torch::kCUDA : torch::kCPU;
}

Batch rounded_batch_at(BatchSource& source, int64_t first, int64_t size) {
  Batch batch{torch::empty({size, 3, kDaliSide, kDaliSide}, device()),
              torch::empty({size}, torch::dtype(torch::kInt64).device(device()))};
  source.assemble_at(first, batch.images, batch.targets);
  return {batch.images.cpu().mul(255).round(), batch.targets.cpu()};
}

// By picture: the mean difference of two batches, in steps of 255.
torch::Tensor differences(const Batch& a, const Batch& b) {
  return (a.images - b.images).abs().flatten(1).mean(1);
}

class Dali : public FolderTest {
 protected:
  Dali() { ::setenv("XDG_CACHE_HOME", (folder() / "cache").c_str(), 1); }

  // The set has them in the order in which they are added.
  void add(const std::string& bytes) {
    const std::string name =
        fmt::format("train/{}/{:03}", "abc"[std::min<int64_t>(size_ / 8, 2)], size_);
    write(name + ".jpg", bytes);
    ++size_;
  }
  void add_photographs(int64_t count) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(photograph_folder()))
      if (entry.file_size() < 80'000) files.push_back(entry.path());
    std::ranges::sort(files);
    for (int64_t i = 0; i < count; ++i)
      add(core::read_file(files[static_cast<size_t>(i) % files.size()]));
  }
  config::DataOptions options(const std::string& dataset) const {
    config::DataOptions result = options_for(dataset, folder());
    result.input_size = kDaliSide;
    result.workers = 3;
    result.cpu_share = 0;
    return result;
  }
  std::unique_ptr<BatchSource> open(const config::DataOptions& options) const {
    auto source =
        open_batches(options, Split::train, 2,
                     device().is_cpu() ? kernels::Backend::cpu : kernels::Backend::cuda, device());
    source->start_epoch(1);
    return source;
  }
  std::unique_ptr<BatchSource> open(const std::string& dataset) const {
    return open(options(dataset));
  }
  int64_t size() const { return size_; }

 private:
  int64_t size_ = 0;
};

TEST_F(Dali, WithoutAGpuHasTheBitsOfImagenet) {
  if (device().is_cuda()) GTEST_SKIP() << "there is a GPU";
  add_photographs(9);
  const Batch dali = rounded_batch_at(*open("dali"), 0, 9),
              imagenet = rounded_batch_at(*open("imagenet"), 0, 9);
  EXPECT_TRUE(dali.images.equal(imagenet.images));
  EXPECT_TRUE(dali.targets.equal(imagenet.targets));
}

TEST_F(Dali, SaysWhyThereAreNoSamplesOfAGpu) {
  try {
    open_gpu_samples({}, torch::kCPU, 0);
    FAIL();
  } catch (const core::Error& error) {
#ifdef LOWBIT_CUDA
    EXPECT_STREQ(error.what(), "there is no GPU");
#else
    EXPECT_STREQ(error.what(), "this build has no CUDA");
#endif
  }
}

class DaliOnAGpu : public Dali {
 protected:
  void SetUp() override {
    if (device().is_cpu()) GTEST_SKIP() << "there is no GPU";
  }
};

TEST_F(DaliOnAGpu, ShowsThePicturesOfImagenet) {
  add_photographs(20);
  for (const bool augmented : {false, true}) {
    config::DataOptions dali = options("dali"), imagenet = options("imagenet");
    dali.addition_augment = imagenet.addition_augment = augmented;
    const Batch gpu = rounded_batch_at(*open(dali), 0, size()),
                cpu = rounded_batch_at(*open(imagenet), 0, size());
    EXPECT_TRUE(gpu.targets.equal(cpu.targets));
    const torch::Tensor difference = differences(gpu, cpu);
    EXPECT_LT(difference.max().item<double>(), 2) << difference;
    EXPECT_GT(difference.max().item<double>(), 0) << "the CPU has decoded";
    std::cout << "mean difference of a picture: " << difference.mean().item<double>() << ", most "
              << difference.max().item<double>() << '\n';
  }
}

TEST_F(DaliOnAGpu, ShowsTheMiddleOfThePicturesInValidation) {
  add_photographs(8);
  fs::rename(folder() / "train", folder() / "val");
  const auto whole = [&](const std::string& dataset) {
    return rounded_batch_at(
        *open_batches(options(dataset), Split::validation, 2, kernels::Backend::cuda, device()), 0,
        size());
  };
  EXPECT_LT(differences(whole("dali"), whole("imagenet")).max().item<double>(), 2);
}

TEST_F(DaliOnAGpu, IsTheSameWithAnyNumberOfThreadsAndFromAnyPlace) {
  add_photographs(23);
  config::DataOptions more = options("dali");
  more.workers = 7;
  const auto one = open("dali"), other = open(more);
  const Batch all = rounded_batch_at(*one, 0, size());
  for (const int64_t first : {0, 5, 10, 15, 7, 7, 0, 18}) {
    const Batch part = rounded_batch_at(*other, first, 5);
    EXPECT_TRUE(part.images.equal(all.images.slice(0, first, first + 5))) << first;
    EXPECT_TRUE(part.targets.equal(all.targets.slice(0, first, first + 5))) << first;
  }
  const Batch last = rounded_batch_at(*other, 20, 3);
  EXPECT_TRUE(last.images.equal(all.images.slice(0, 20, 23)));
}

TEST_F(DaliOnAGpu, LeavesOtherPicturesToTheCpu) {
  using testing_support::halves;
  add(testing_support::made_png(90, 120, PNG_COLOR_TYPE_RGB, 8,
                                halves(90, 120, {9, 8, 7}, {70, 80, 90})));
  add(testing_support::made_jpeg(90, 120, JCS_CMYK, halves(90, 120, {9, 8, 7, 6}, {9, 80, 7, 60})));
  add(testing_support::made_jpeg(90, 120, JCS_RGB, halves(90, 120, {9, 8, 7}, {70, 80, 90}), true));
  add(testing_support::made_jpeg(9, 12, JCS_RGB, halves(9, 12, {9, 8, 7}, {70, 80, 90})));
  add_photographs(4);
  config::DataOptions dali = options("dali"), imagenet = options("imagenet");
  const Batch gpu = rounded_batch_at(*open(dali), 0, size()),
              cpu = rounded_batch_at(*open(imagenet), 0, size());
  const torch::Tensor difference = differences(gpu, cpu);
  EXPECT_LT(difference.max().item<double>(), 2) << difference;
  std::vector<int64_t> order(static_cast<size_t>(size()));
  shuffle(order, 2, 1);
  for (int64_t i = 0; i < size(); ++i) {
    if (order[static_cast<size_t>(i)] < 4) {
      EXPECT_EQ(difference[i].item<double>(), 0) << order[static_cast<size_t>(i)];
    }
  }
}

TEST_F(Dali, NamesADamagedFileOrSkipsIt) {
  add_photographs(9);
  const std::string photograph =
      core::read_file(photograph_folder() / "n02037110_oystercatcher.JPEG");
  add(photograph.substr(0, photograph.size() / 12));
  const auto error_of = [&](const std::string& dataset) -> std::string {
    try {
      rounded_batch_at(*open(dataset), 0, size());
      return "nothing was thrown";
    } catch (const core::Error& error) {
      return error.what();
    }
  };
  EXPECT_THAT(error_of("dali"), HasSubstr("009.jpg: JPEG:"));
  EXPECT_EQ(error_of("dali"), error_of("imagenet"));

  config::DataOptions skipping = options("dali");
  skipping.skip_damaged = true;
  const auto source = open(skipping);
  rounded_batch_at(*source, 0, size());
  EXPECT_EQ(source->take_skipped().count, 1);
}

TEST_F(DaliOnAGpu, DecodesInPartsWhatDoesNotFitAtOnce) {
  const std::string jeep = core::read_file(photograph_folder() / "n03594945_jeep.JPEG");
  for (int i = 0; i < 96; ++i) add(jeep);
  const auto source = open("dali");
  const Batch all = rounded_batch_at(*source, 0, size());
  for (const int64_t first : {0, 50, 86})
    EXPECT_TRUE(
        rounded_batch_at(*source, first, 10).images.equal(all.images.slice(0, first, first + 10)));
}

TEST(CpuShare, IsThatOfTheSetAndOfEachPartOfIt) {
  for (const double share : {0.0, 0.25, 0.6, 1.0})
    for (const int64_t first : {0, 1234567, 100'000'000}) {
      int64_t of_thousand = 0;
      for (int64_t i = 0; i < 1000; ++i) of_thousand += is_left_to_cpu(first + i, share);
      EXPECT_NEAR(of_thousand, share * 1000, 3) << first;
    }
}

TEST(CpuShare, GrowsWithTheThreads) {
  EXPECT_EQ(balanced_cpu_share(1), 0);
  EXPECT_GT(balanced_cpu_share(8), balanced_cpu_share(4));
  EXPECT_LT(balanced_cpu_share(1024), 1);
}

TEST_F(DaliOnAGpu, LeavesAShareToTheCpu) {
  add_photographs(40);
  config::DataOptions shared = options("dali");
  shared.cpu_share = 0.4;
  const auto source = open(shared);
  const Batch both = rounded_batch_at(*source, 0, size()),
              gpu = rounded_batch_at(*open("dali"), 0, size()),
              cpu = rounded_batch_at(*open("imagenet"), 0, size());
  std::vector<int64_t> order(static_cast<size_t>(size()));
  shuffle(order, 2, 1);
  for (int64_t i = 0; i < size(); ++i) {
    const Batch& maker = is_left_to_cpu(order[static_cast<size_t>(i)], 0.4) ? cpu : gpu;
    EXPECT_TRUE(both.images[i].equal(maker.images[i])) << i;
  }
  EXPECT_FALSE(gpu.images.equal(cpu.images));
  EXPECT_TRUE(rounded_batch_at(*source, 7, 9).images.equal(both.images.slice(0, 7, 16)));
}

#ifdef LOWBIT_CUDA
TEST_F(DaliOnAGpu, CutsOutAndColorsByteForByteAsTheCpu) {
  const Image image = read_image(photograph_folder() / "n02268443_dragonfly.JPEG");
  const torch::Tensor pixels = torch::from_blob(const_cast<uint8_t*>(image.pixels.data()),
                                                {image.height, image.width, 3}, torch::kUInt8)
                                   .cuda();
  for (const int64_t side : {40, 224, 300}) {
    SampleRecipe recipe{.side = side, .random = true, .jitter = true};
    for (int64_t index = 0; index < 12; ++index) {
      const std::string bytes = core::read_file(photograph_folder() / "n02268443_dragonfly.JPEG");
      const auto picture = open_picture(bytes);
      torch::Tensor expected = torch::empty({side, side, 3}, torch::kUInt8);
      SampleMaker(recipe).make(
          *picture, 0, index,
          {expected.data_ptr<uint8_t>(), static_cast<size_t>(expected.numel())});
      const Crop crop = recipe.crop(*picture, 0, index);
      const auto whole = [&](int64_t size) {
        return Axis{.size = size,
                    .begin = 0,
                    .end = static_cast<double>(size),
                    .to = side,
                    .first = 0,
                    .count = side};
      };
      const auto on_device = torch::dtype(torch::kUInt8).device(torch::kCUDA);
      torch::Tensor narrow = torch::empty({crop.box.height, side, 3}, on_device),
                    made = torch::empty({side, side, 3}, on_device);
      const kernels::cuda::ResampleJob job{
          .source = pixels.data_ptr<uint8_t>() + (crop.box.top * image.width + crop.box.left) * 3,
          .row_bytes = image.width * 3,
          .rows = whole(crop.box.height),
          .columns = whole(crop.box.width),
          .narrow = narrow.data_ptr<uint8_t>(),
          .to = made.data_ptr<uint8_t>(),
          .jitter = draw_color_jitter(recipe.seed, 0, index)};
      const torch::Tensor jobs = torch::from_blob(const_cast<kernels::cuda::ResampleJob*>(&job),
                                                  {sizeof(job)}, torch::kUInt8)
                                     .cuda();
      kernels::cuda::resample(
          {.jobs = reinterpret_cast<const kernels::cuda::ResampleJob*>(jobs.data_ptr<uint8_t>()),
           .count = 1,
           .side = side,
           .most_rows = job.rows.size,
           .most_taps = std::max(most_taps(job.rows), most_taps(job.columns)),
           .jitter = true},
          nullptr);
      EXPECT_TRUE(made.cpu().equal(expected)) << side << ' ' << index;
    }
  }
}
#endif

TEST_F(DaliOnAGpu, TakesNoMoreMemoryAsTheEpochsGoOn) {
  add_photographs(40);
  const auto source = open("dali");
  const auto epochs = [&](int64_t first, int64_t end) {
    for (int64_t number = first; number < end; ++number) {
      source->start_epoch(number);
      for (int64_t i = 0; i < size(); i += 8) rounded_batch_at(*source, i, 8);
    }
  };
  epochs(0, 5);
  const int64_t before = testing_support::resident_kilobytes();
  epochs(5, 25);
  // 800 decoded photographs would be 400 MB.
  EXPECT_LT(testing_support::resident_kilobytes() - before, 32'000);
}

}  // namespace
}  // namespace lowbit::data
