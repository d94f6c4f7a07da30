#include "lowbit/data/dataset.h"

#include <gmock/gmock.h>

#include "made_files.h"

namespace lowbit::data {
namespace {

using testing::HasSubstr;

config::DataOptions fake_options(int input_size, int num_classes) {
  config::DataOptions options = options_for("fake", "");
  options.input_size = input_size;
  options.num_classes = num_classes;
  return options;
}

TEST(Datasets, AnUnknownNameIsAUsageErrorWithTheNearest) {
  try {
    load(options_for("cifar1O", ""), Split::train);
    FAIL();
  } catch (const core::Error& error) {
    EXPECT_EQ(error.kind(), core::ErrorKind::usage);
    EXPECT_THAT(error.what(), HasSubstr("did you mean 'cifar10'?"));
  }
}

TEST(Datasets, SmallImagesAreFlippedAndShiftedFakeOnesNot) {
  EXPECT_TRUE(augmentation(options_for("cifar10", "")).flip);
  EXPECT_EQ(augmentation(options_for("cifar100", "")).pad, 4);
  EXPECT_FALSE(augmentation(options_for("fake", "")).flip);
}

class RequireFiles : public FolderTest {};

TEST_F(RequireFiles, LooksForTheFilesButNotIntoThem) {
  EXPECT_THROW(require_files(options_for("cifar100", folder()), Split::train), core::Error);
  write("train.bin", "damaged");
  EXPECT_NO_THROW(require_files(options_for("cifar100", folder()), Split::train));
}

TEST(Fake, HasAHundredThousandSamplesLabeledInTurn) {
  const ImageSet set = load(fake_options(8, 7), Split::train);
  EXPECT_EQ(set.size(), 100'000);
  EXPECT_EQ(set.pixels.sizes(), (std::vector<int64_t>{100'000, 8, 8, 3}));
  EXPECT_TRUE(set.labels.equal(torch::arange(100'000).remainder(7)));
  EXPECT_EQ(set.class_names.size(), 7u);
}

TEST(Fake, BytesAreUniformAndDifferBetweenSplits) {
  const torch::Tensor train = load(fake_options(4, 10), Split::train).pixels;
  const torch::Tensor counts = torch::bincount(train.flatten().to(torch::kInt64), {}, 256);
  const double expected = 4.8e6 / 256;
  EXPECT_GT(counts.min().item<double>(), 0.95 * expected);
  EXPECT_LT(counts.max().item<double>(), 1.05 * expected);
  EXPECT_FALSE(train.equal(load(fake_options(4, 10), Split::validation).pixels));
}

TEST(Fake, LargeImagesComeFromAPoolOfAQuarterGibibyte) {
  const ImageSet set = load(fake_options(1024, 10), Split::train);
  EXPECT_EQ(set.size(), 100'000);
  EXPECT_EQ(set.pixels.size(0), 85);
}

TEST(Fake, NeedsASizeAndAClass) {
  EXPECT_THROW(load(fake_options(0, 10), Split::train), core::Error);
  EXPECT_THROW(load(fake_options(8, 0), Split::train), core::Error);
}

}  // namespace
}  // namespace lowbit::data
