#include "lowbit/kernels/augment.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <map>
#include <tuple>
#include <vector>

#include "lowbit/core/error.h"

namespace lowbit::kernels {
namespace {

TEST(Reflect, MirrorsAtTheEdgePixelWithoutRepeatingIt) {
  std::vector<int> shown;
  for (int position = -3; position <= 6; ++position) shown.push_back(reflect(position, 4));
  EXPECT_EQ(shown, (std::vector<int>{3, 2, 1, 0, 1, 2, 3, 2, 1, 0}));
}

TEST(SourceColumn, FlipsTheCropAndNotTheImage) {
  const auto columns = [](const Placement& placement) {
    std::vector<int> shown;
    for (int column = 0; column < 4; ++column) {
      shown.push_back(source_column(placement, column, 4));
    }
    return shown;
  };
  EXPECT_EQ(columns({.flip = false, .right = 2}), (std::vector<int>{2, 3, 2, 1}));
  EXPECT_EQ(columns({.flip = true, .right = 2}), (std::vector<int>{1, 2, 3, 2}));
  EXPECT_EQ(columns({.flip = true, .right = -2}), (std::vector<int>{1, 0, 1, 2}));
  EXPECT_EQ(columns({.flip = true}), (std::vector<int>{3, 2, 1, 0}));
}

TEST(Normalized, IsTheByteAsAFractionLessMeanOverStd) {
  EXPECT_DOUBLE_EQ(normalized<double>(255, 0.5, 0.25), 2);
  EXPECT_DOUBLE_EQ(normalized<double>(0, 0.5, 0.25), -2);
  EXPECT_DOUBLE_EQ(normalized<double>(51, 0.5, 0.25), -1.2);
  EXPECT_FLOAT_EQ(normalized<float>(51, 0.5f, 0.25f), -1.2f);
}

using Outcome = std::tuple<bool, int, int>;

std::map<Outcome, int> count_placements(const Augmentation& augmentation, uint64_t seed,
                                        int64_t epoch, int64_t samples) {
  std::map<Outcome, int> counts;
  for (int64_t index = 0; index < samples; ++index) {
    const Placement placement = draw_placement(augmentation, seed, epoch, index);
    ++counts[{placement.flip, placement.down, placement.right}];
  }
  return counts;
}

TEST(DrawPlacement, GivesEveryFlipAndShiftEquallyOften) {
  const auto counts = count_placements({.flip = true, .pad = 4}, 2, 7, 162 * 400);
  EXPECT_EQ(counts.size(), 162u);
  for (const auto& [outcome, count] : counts) {
    const auto [flip, down, right] = outcome;
    EXPECT_LE(std::max(std::abs(down), std::abs(right)), 4);
    EXPECT_NEAR(count, 400, 100) << flip << ' ' << down << ' ' << right;  // 5 standard deviations
  }
}

TEST(DrawPlacement, WithoutFlipAndPadMovesNothing) {
  const auto counts = count_placements({}, 2, 0, 100);
  EXPECT_EQ(counts, (std::map<Outcome, int>{{{false, 0, 0}, 100}}));
  const auto shifts = count_placements({.flip = false, .pad = 1}, 2, 0, 1000);
  EXPECT_EQ(shifts.size(), 9u);
}

TEST(DrawPlacement, ChangesWithSeedAndEpoch) {
  const auto sequence = [](uint64_t seed, int64_t epoch) {
    std::vector<Outcome> outcomes;
    for (int64_t index = 0; index < 20; ++index) {
      const Placement p = draw_placement({.flip = true, .pad = 4}, seed, epoch, index);
      outcomes.emplace_back(p.flip, p.down, p.right);
    }
    return outcomes;
  };
  EXPECT_EQ(sequence(2, 0), sequence(2, 0));
  EXPECT_NE(sequence(2, 0), sequence(2, 1));
  EXPECT_NE(sequence(2, 0), sequence(3, 0));
}

// A set in host memory and the batch that is made of it.
template <class T>
class Fixture {
 public:
  Fixture(int64_t images, int64_t samples, int64_t height, int64_t width)
      : pixels(images * height * width * 3), labels(samples) {
    for (size_t i = 0; i < pixels.size(); ++i) {
      pixels[i] = static_cast<uint8_t>(random_bits(0, Purpose::fake_pixels, 0, i).word[0]);
    }
    for (int64_t i = 0; i < samples; ++i) labels[i] = 1000 + i;
    args.image_count = images;
    args.height = height;
    args.width = width;
    args.seed = 2;
  }

  // Samples first..first+count-1 of the order.
  std::vector<T> assemble(Backend backend, int64_t first, int64_t count) {
    std::vector<T> images(count * args.height * args.width * 3);
    targets.assign(count, -1);
    args.pixels = pixels.data();
    args.labels = labels.data();
    args.order = order.empty() ? nullptr : order.data();
    args.cursor = &first;
    args.epoch = &epoch;
    args.batch = count;
    args.images = {images.data(), sizeof(T) == 8 ? ScalarType::float64 : ScalarType::float32};
    args.targets = targets.data();
    assemble_batch(backend, args);
    return images;
  }

  // The first sample that is placed so.
  int64_t sample_with(const Outcome& wanted) const {
    for (int64_t index = 0;; ++index) {
      const Placement p = draw_placement(args.augmentation, args.seed, epoch, index);
      if (Outcome{p.flip, p.down, p.right} == wanted) return index;
    }
  }

  std::vector<uint8_t> pixels;
  std::vector<int64_t> labels, order, targets;
  int64_t epoch = 0;
  AssembleBatch args;
};

// The same test for every back end that takes host memory; tests/data compares with CUDA.
class Assemble : public testing::TestWithParam<Backend> {};
INSTANTIATE_TEST_SUITE_P(Backends, Assemble, testing::Values(Backend::reference, Backend::cpu),
                         [](const auto& backend) {
                           return backend.param == Backend::cpu ? "cpu" : "reference";
                         });

// Rows 11 12 13 14 / 21 22 23 24 / 31 32 33 34 of red, 100 more in green, 200 more in blue.
Fixture<double> numbered_image(int64_t samples) {
  Fixture<double> set(1, samples, 3, 4);
  for (int row = 0; row < 3; ++row) {
    for (int column = 0; column < 4; ++column) {
      for (int channel = 0; channel < 3; ++channel) {
        set.pixels[(row * 4 + column) * 3 + channel] =
            static_cast<uint8_t>(channel * 100 + 10 * (row + 1) + column + 1);
      }
    }
  }
  // So that a number comes out as it is.
  for (double& std : set.args.std) std = 1 / 255.0;
  return set;
}

std::vector<int> rounded(const std::vector<double>& values) {
  std::vector<int> result;
  for (const double value : values) result.push_back(static_cast<int>(value + 0.5));
  return result;
}

TEST_P(Assemble, ReflectsBeyondTheTopLeftCorner) {
  auto set = numbered_image(2000);
  set.args.augmentation = {.flip = true, .pad = 2};
  const auto images = set.assemble(GetParam(), set.sample_with({false, -2, -1}), 1);
  EXPECT_EQ(rounded(images),
            (std::vector<int>{32,  31,  32,  33,  22,  21,  22,  23,  12,  11,  12,  13,
                              132, 131, 132, 133, 122, 121, 122, 123, 112, 111, 112, 113,
                              232, 231, 232, 233, 222, 221, 222, 223, 212, 211, 212, 213}));
}

TEST_P(Assemble, ReflectsBeyondTheBottomRightCornerAndFlips) {
  auto set = numbered_image(2000);
  set.args.augmentation = {.flip = true, .pad = 2};
  set.args.channels_last = true;
  const auto images = set.assemble(GetParam(), set.sample_with({true, 1, 2}), 1);
  EXPECT_EQ(rounded(images),
            (std::vector<int>{22, 122, 222, 23, 123, 223, 24, 124, 224, 23, 123, 223,
                              32, 132, 232, 33, 133, 233, 34, 134, 234, 33, 133, 233,
                              22, 122, 222, 23, 123, 223, 24, 124, 224, 23, 123, 223}));
}

TEST_P(Assemble, NormalizesEachChannelByItsOwnMeanAndStd) {
  auto set = numbered_image(1);
  set.args.mean[0] = 11 / 255.0;
  set.args.mean[1] = 0.5;
  set.args.std[2] = 2;
  const auto images = set.assemble(GetParam(), 0, 1);
  EXPECT_DOUBLE_EQ(images[0], 0);
  EXPECT_DOUBLE_EQ(images[12], (111 / 255.0 - 0.5) * 255);
  EXPECT_DOUBLE_EQ(images[24], 211 / 255.0 / 2);
}

TEST_P(Assemble, TakesSamplesInTheOrderGivenAndRepeatsImages) {
  Fixture<float> set(2, 5, 4, 4);
  const auto in_file_order = set.assemble(GetParam(), 0, 5);
  EXPECT_EQ(set.targets, (std::vector<int64_t>{1000, 1001, 1002, 1003, 1004}));
  const auto image = [&](int64_t i) {
    return std::vector<float>(in_file_order.begin() + i * 48, in_file_order.begin() + i * 48 + 48);
  };
  EXPECT_EQ(image(0), image(2));
  EXPECT_NE(image(0), image(1));

  set.order = {3, 1, 4, 0, 2};
  const auto images = set.assemble(GetParam(), 1, 2);
  EXPECT_EQ(set.targets, (std::vector<int64_t>{1001, 1004}));
  EXPECT_TRUE(std::equal(images.begin(), images.begin() + 48, image(1).begin()));
  EXPECT_TRUE(std::equal(images.begin() + 48, images.end(), image(0).begin()));
}

TEST_P(Assemble, GivesASampleTheSameBitsInAnyBatchAndOrder) {
  Fixture<float> set(16, 16, 8, 8);
  set.args.augmentation = {.flip = true, .pad = 3};
  set.epoch = 5;
  const auto together = set.assemble(GetParam(), 0, 16);
  set.order = {15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0};
  for (int64_t i = 0; i < 16; ++i) {
    const auto alone = set.assemble(GetParam(), 15 - i, 1);
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), together.begin() + i * 192)) << i;
  }
}

template <class T>
void expect_equal_backends(bool channels_last) {
  Fixture<T> set(37, 50, 9, 12);
  set.args.augmentation = {.flip = true, .pad = 4};
  set.args.channels_last = channels_last;
  const std::array<double, 3> mean = {.4914, .4822, .4465}, std = {.2023, .1994, .2010};
  std::ranges::copy(mean, set.args.mean);
  std::ranges::copy(std, set.args.std);
  const int threads = omp_get_max_threads();
  const auto expected = set.assemble(Backend::reference, 3, 47);
  const auto expected_targets = set.targets;
  for (const int count : {1, 2, 5}) {
    omp_set_num_threads(count);
    EXPECT_EQ(set.assemble(Backend::cpu, 3, 47), expected) << count << " threads";
    EXPECT_EQ(set.targets, expected_targets);
  }
  omp_set_num_threads(threads);
}

TEST(AssembleBatch, GivesTheReferenceBitsWithAnyNumberOfThreads) {
  for (const bool channels_last : {false, true}) {
    expect_equal_backends<float>(channels_last);
    expect_equal_backends<double>(channels_last);
  }
}

TEST(AssembleBatch, OfNoSamplesTouchesNothing) {
  assemble_batch(Backend::cpu, AssembleBatch{});
}

// Whether the arguments for a sample of one pixel, so changed, are a usage error.
bool refused(const std::function<void(AssembleBatch&)>& change) {
  const std::array<uint8_t, 3> pixel = {};
  const int64_t zero = 0;
  std::array<float, 3> image;
  int64_t target = 0;
  AssembleBatch args;
  args.pixels = pixel.data();
  args.labels = args.cursor = args.epoch = &zero;
  args.image_count = args.height = args.width = args.batch = 1;
  args.images = {image.data(), ScalarType::float32};
  args.targets = &target;
  change(args);
  try {
    assemble_batch(Backend::cpu, args);
  } catch (const core::Error& error) {
    return error.kind() == core::ErrorKind::usage;
  }
  return false;
}

TEST(AssembleBatch, RefusesWrongArguments) {
  EXPECT_FALSE(refused([](AssembleBatch&) {}));
  EXPECT_TRUE(refused([](AssembleBatch& args) { args.pixels = nullptr; }));
  EXPECT_TRUE(refused([](AssembleBatch& args) { args.cursor = nullptr; }));
  EXPECT_TRUE(refused([](AssembleBatch& args) { args.images.data = nullptr; }));
  EXPECT_TRUE(refused([](AssembleBatch& args) { args.images.type = ScalarType::float16; }));
  EXPECT_TRUE(refused([](AssembleBatch& args) { args.augmentation.pad = 1; }));
  EXPECT_TRUE(refused([](AssembleBatch& args) { args.augmentation.pad = -1; }));
  EXPECT_TRUE(refused([](AssembleBatch& args) { args.image_count = 0; }));
  EXPECT_TRUE(refused([](AssembleBatch& args) { args.batch = -1; }));
  EXPECT_TRUE(refused([](AssembleBatch& args) { args.batch = int64_t{1} << 29; }));
  EXPECT_TRUE(refused([](AssembleBatch& args) { args.height = int64_t{1} << 62; }));
}

// A batch that was brought by itself: its images in order, each augmented as the set's sample that
// it is, with light of its own.
TEST_P(Assemble, TakesABatchOfItsOwnWithTheIndicesOfTheSet) {
  Fixture<double> set(6, 6, 4, 5);
  set.args.augmentation = {.flip = true, .pad = 1};
  set.order = {4, 1, 5, 3, 0, 2};
  const std::vector<double> expected = set.assemble(GetParam(), 2, 3);
  const std::vector<int64_t> expected_targets = set.targets;

  Fixture<double> batch(3, 3, 4, 5);
  batch.args.augmentation = set.args.augmentation;
  const std::vector<int64_t> indices = {5, 3, 0};
  const size_t bytes = 4 * 5 * 3;
  for (size_t b = 0; b < 3; ++b) {
    const auto from = set.pixels.begin() + indices[b] * static_cast<int64_t>(bytes);
    std::copy_n(from, bytes, batch.pixels.begin() + b * bytes);
    batch.labels[b] = set.labels[indices[b]];
  }
  batch.args.indices = indices.data();
  EXPECT_EQ(batch.assemble(GetParam(), 0, 3), expected);
  EXPECT_EQ(batch.targets, expected_targets);

  const std::vector<float> light = {0, 0, 0, 0.25f, -0.5f, 0.125f, 0, 0, 0};
  batch.args.lighting = light.data();
  const std::vector<double> lit = batch.assemble(GetParam(), 0, 3);
  for (size_t i = 0; i < lit.size(); ++i)
    EXPECT_NEAR(lit[i], expected[i] + light[i / 20], 1e-12) << i;
}

TEST_P(Assemble, RefusesFewerImagesThanTheBatchHas) {
  Fixture<float> batch(2, 3, 4, 5);
  const std::vector<int64_t> indices = {0, 1, 2};
  batch.args.indices = indices.data();
  EXPECT_THROW(batch.assemble(GetParam(), 0, 3), core::Error);
}

}  // namespace
}  // namespace lowbit::kernels
