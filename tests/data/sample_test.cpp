// Samples of photographs, of which no more is decoded than they show.
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

std::vector<uint8_t> cut_out(Picture& picture, const Crop& crop, bool fractions = false,
                             Rest rest = Rest::skip) {
  std::vector<uint8_t> pixels(static_cast<size_t>(crop.window.height * crop.window.width * 3));
  SampleMaker({.fractions = fractions}).cut_out(picture, crop, pixels.data(), rest);
  return pixels;
}
std::vector<uint8_t> cut_out(const std::string& bytes, const Crop& crop, bool fractions = false,
                             Rest rest = Rest::skip) {
  return cut_out(*open_picture(bytes), crop, fractions, rest);
}

// From the picture after all of it has been decoded.
std::vector<uint8_t> cut_from_whole(const std::string& bytes, const Crop& crop) {
  const Image image = decode_image(bytes);
  const std::string_view pixels(reinterpret_cast<const char*>(image.pixels.data()),
                                image.pixels.size());
  return cut_out(*open_picture(StoredPicture{pixels, image.height, image.width}), crop);
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
    std::vector<Crop> crops = {center_crop(picture->height(), picture->width(), kSampleSide),
                               center_crop(picture->height(), picture->width(), 32)};
    for (int64_t index = 0; index < 15; ++index)
      crops.push_back(
          random_resized_crop(picture->height(), picture->width(), kSampleSide, 2, 0, index));
    for (const Crop& crop : crops) {
      const std::vector<uint8_t> expected = cut_from_whole(bytes, crop);
      ASSERT_EQ(cut_out(bytes, crop), expected) << file;
      ASSERT_EQ(cut_out(bytes, crop, false, Rest::check), expected) << file;
    }
  }
}

// Of a JPEG as large as that, the half size would be enough.
TEST(Samples, AreExactUnlessTheRecipeAllowsFractions) {
  const std::string bytes = core::read_file(photograph_folder() / "n03594945_jeep.JPEG");
  const auto picture = open_picture(bytes);
  const Crop crop = center_crop(picture->height(), picture->width(), 224);
  ASSERT_GE(picture->height(), 2 * 256);
  EXPECT_EQ(made(bytes, {.side = 224}, 0, 0), cut_from_whole(bytes, crop));
  EXPECT_NE(made(bytes, {.side = 224, .fractions = true}, 0, 0), cut_from_whole(bytes, crop));
}

// Truncated, or with bytes changed: an Error with the same text, whatever is cut out.
TEST(Samples, FindTheSameDamageWhateverTheyShow) {
  const std::string file = core::read_file(photograph_folder() / "n02268443_dragonfly.JPEG");
  const auto error_of = [](const auto& read) -> std::string {
    try {
      read();
    } catch (const core::Error& error) {
      return error.what();
    }
    return "";
  };
  std::vector<std::string> files = {file};
  for (size_t size = 700; size < file.size(); size += 1499) files.push_back(file.substr(0, size));
  for (const size_t missing : {1, 2, 3, 50}) files.push_back(file.substr(0, file.size() - missing));
  files.push_back(file.substr(0, 15'000) + "\xff\xd9");  // with an end all the same
  for (size_t at = 900; at + 64 < file.size(); at += 2003) {
    std::string changed = file;
    for (size_t i = 0; i < 64; ++i) changed[at + i] = static_cast<char>(i * 37 % 256);
    files.push_back(changed);
  }
  size_t damaged = 0;
  for (const std::string& each : files) {
    const std::string whole = error_of([&] { decode_image(each); });
    damaged += !whole.empty();
    EXPECT_EQ(error_of([&] { require_whole({each}); }), whole);
    for (const Crop& crop :
         {Crop{{0, 0, 80, 80}, 40, 40, {0, 0, 40, 40}},
          Crop{{20, 300, 300, 300}, 64, 64, {0, 0, 64, 64}},
          Crop{{200, 100, 64, 64}, 64, 64, {0, 0, 64, 64}}, center_crop(459, 600, 224)})
      for (const bool fractions : {false, true})
        EXPECT_EQ(error_of([&] { cut_out(each, crop, fractions, Rest::check); }), whole);
  }
  EXPECT_GT(damaged, 17u);
  EXPECT_LT(damaged, files.size());
}

// What it costs to decode a JPEG at a fraction of its size: see SampleRecipe.
TEST(Samples, DecodedAtAFractionOfTheSizeDifferLittle) {
  for (const char* name : {"n03594945_jeep.JPEG", "n02268443_dragonfly.JPEG"}) {
    const std::string bytes = core::read_file(photograph_folder() / name);
    const auto picture = open_picture(bytes);
    for (const int64_t side : {32, 64, 128, 224}) {
      for (const Region& box : {Region{0, 0, picture->height(), picture->width()},
                                Region{5, 3, picture->height() - 12, picture->width() - 7}}) {
        if (std::min(box.height, box.width) < 2 * side) continue;
        const Crop crop{box, side, side, {0, 0, side, side}};
        const Difference seen = difference(cut_out(bytes, crop, true), cut_out(bytes, crop));
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
    write(crops, cut_out(core::read_file(folder / name), crop));
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
