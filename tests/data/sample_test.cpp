// Samples of photographs, with what need not be decoded left out and without.
#include "lowbit/data/sample.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "lowbit/core/files.h"
#include "lowbit/data/color.h"
#include "photographs.h"
#include "support/made_images.h"

namespace lowbit::data {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kSampleSide = 224;

std::vector<fs::path> photographs() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(photograph_folder()))
    files.push_back(entry.path());
  return files;
}

std::vector<uint8_t> made(const std::string& bytes, SampleRecipe recipe, int64_t epoch,
                          int64_t index) {
  std::vector<uint8_t> pixels(static_cast<size_t>(recipe.side * recipe.side * 3));
  SampleMaker(recipe).make(*open_picture(bytes), epoch, index, pixels);
  return pixels;
}

std::vector<uint8_t> cut_out(const std::string& bytes, const Crop& crop, bool shortcut) {
  std::vector<uint8_t> pixels(static_cast<size_t>(crop.window.height * crop.window.width * 3));
  SampleMaker({.shortcut = shortcut}).cut_out(*open_picture(bytes), crop, pixels.data());
  return pixels;
}

// Of all bytes, in steps of 255.
struct Difference {
  double mean = 0, most = 0;
};
Difference difference(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) {
  EXPECT_EQ(a.size(), b.size());
  Difference result;
  for (size_t i = 0; i < a.size(); ++i) {
    const double distance = std::abs(a[i] - b[i]);
    result.mean += distance / static_cast<double>(a.size());
    result.most = std::max(result.most, distance);
  }
  return result;
}

TEST(Samples, ReadOnlyInPartAreTheSameByteForByte) {
  for (const fs::path& file : photographs()) {
    const std::string bytes = core::read_file(file);
    const auto picture = open_picture(bytes);
    for (int64_t index = 0; index < 25; ++index) {
      // Of boxes that are decoded at full size.
      const Crop crop =
          random_resized_crop(picture->height(), picture->width(), kSampleSide, 2, 0, index);
      if (std::min(crop.box.height, crop.box.width) >= 2 * kSampleSide) continue;
      ASSERT_EQ(cut_out(bytes, crop, true), cut_out(bytes, crop, false)) << file << ' ' << index;
    }
    const Crop center = center_crop(picture->height(), picture->width(), kSampleSide);
    if (std::min(picture->height(), picture->width()) < 512) {
      EXPECT_EQ(cut_out(bytes, center, true), cut_out(bytes, center, false)) << file;
    }
  }
}

// What the shortcut costs where a JPEG is decoded at a fraction of its size: see SampleRecipe.
TEST(Samples, DecodedAtAFractionOfTheSizeDifferLittle) {
  for (const char* name : {"n03594945_jeep.JPEG", "n02268443_dragonfly.JPEG"}) {
    const std::string bytes = core::read_file(photograph_folder() / name);
    const auto picture = open_picture(bytes);
    for (const int64_t side : {32, 64, 128, 224}) {
      for (const Region& box : {Region{0, 0, picture->height(), picture->width()},
                                Region{5, 3, picture->height() - 12, picture->width() - 7}}) {
        if (std::min(box.height, box.width) < 2 * side) continue;
        const Crop crop{box, side, side, {0, 0, side, side}};
        const Difference seen = difference(cut_out(bytes, crop, true), cut_out(bytes, crop, false));
        EXPECT_LT(seen.mean, 2.5) << name << ' ' << side;
        EXPECT_LT(seen.most, 80) << name << ' ' << side;
        EXPECT_GT(seen.most, 0) << name << ' ' << side;  // else it was not decoded at a fraction
      }
    }
  }
}

TEST(Samples, AreAFunctionOfSeedEpochAndIndex) {
  const std::string bytes = core::read_file(photograph_folder() / "n02268443_dragonfly.JPEG");
  const SampleRecipe recipe{.side = 32, .random = true, .jitter = true, .seed = 3};
  const std::vector<uint8_t> sample = made(bytes, recipe, 1, 7);
  EXPECT_EQ(made(bytes, recipe, 1, 7), sample);
  EXPECT_NE(made(bytes, recipe, 2, 7), sample);
  EXPECT_NE(made(bytes, recipe, 1, 8), sample);
  SampleRecipe other = recipe;
  other.jitter = false;
  EXPECT_NE(made(bytes, other, 1, 7), sample);
  other = recipe;
  other.seed = 4;
  EXPECT_NE(made(bytes, other, 1, 7), sample);
  other = recipe;
  other.random = false;
  other.jitter = false;
  EXPECT_EQ(made(bytes, other, 1, 7), made(bytes, other, 2, 8));
}

TEST(Samples, OfTheSmallestPicturesHaveOneColor) {
  const std::string png =
      testing_support::made_png(1, 1, PNG_COLOR_TYPE_RGB, 8, std::vector<uint8_t>{7, 8, 9});
  for (const bool random : {false, true}) {
    const std::vector<uint8_t> sample = made(png, {.side = 5, .random = random}, 0, 0);
    for (size_t i = 0; i < sample.size(); ++i) EXPECT_EQ(sample[i], 7 + i % 3);
  }
  const std::string jpeg =
      testing_support::made_jpeg(40, 1, JCS_RGB, std::vector<uint8_t>(120, 255));
  EXPECT_THAT(made(jpeg, {.side = 16}, 0, 0), testing::Each(255));
}

// For pillow_test.py: for each line "FILE top left height width scaled_height scaled_width
// window_top window_left window_height window_width" of LOWBIT_PILLOW/crops the pixels, and for
// each "FILE brightness contrast saturation" of LOWBIT_PILLOW/colors, follow each other in a file.
TEST(Samples, AreWrittenForPillow) {
  const char* variable = std::getenv("LOWBIT_PILLOW");
  if (!variable) GTEST_SKIP() << "pillow_test.py asks for it";
  const fs::path folder = variable;
  std::ofstream crops(folder / "crops.out", std::ios::binary),
      colors(folder / "colors.out", std::ios::binary);
  const auto write = [](std::ofstream& out, const std::vector<uint8_t>& pixels) {
    out.write(reinterpret_cast<const char*>(pixels.data()),
              static_cast<std::streamsize>(pixels.size()));
  };
  std::string name;
  std::ifstream crop_lines(folder / "crops");
  for (Crop crop; crop_lines >> name >> crop.box.top >> crop.box.left >> crop.box.height >>
                  crop.box.width >> crop.scaled_height >> crop.scaled_width >> crop.window.top >>
                  crop.window.left >> crop.window.height >> crop.window.width;)
    write(crops, cut_out(core::read_file(folder / name), crop, false));
  std::ifstream color_lines(folder / "colors");
  for (ColorJitter jitter;
       color_lines >> name >> jitter.brightness >> jitter.contrast >> jitter.saturation;) {
    Image image = read_image(folder / name);
    change_colors(jitter, image.pixels);
    write(colors, image.pixels);
  }
}

}  // namespace
}  // namespace lowbit::data
