// Pictures of known pixels, whole and damaged.
#include "lowbit/data/image.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "lowbit/data/image_files.h"
#include "lowbit/data/verify.h"
#include "made_files.h"
#include "support/made_images.h"

namespace lowbit::data {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::halves;
using testing_support::made_jpeg;
using testing_support::made_png;

using Pixel = std::vector<int>;
const std::vector<uint8_t> kRed = {255, 0, 0}, kBlue = {0, 0, 255};

Pixel pixel(const Image& image, int64_t y, int64_t x) {
  const uint8_t* first = image.pixels.data() + (y * image.width + x) * 3;
  return {first, first + 3};
}

// JPEG keeps colors nearly.
void expect_near(const Pixel& seen, const Pixel& wanted) {
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(seen[i], wanted[i], 3);
}

std::string red_and_blue_jpeg() {
  return made_jpeg(8, 16, JCS_RGB, halves(8, 16, kRed, kBlue));
}

std::string error_of(const std::string& bytes) {
  try {
    decode_image(bytes);
    return "no error";
  } catch (const core::Error& error) {
    return error.what();
  }
}

TEST(Jpeg, GivesRowsOfRedGreenAndBlue) {
  const Image image = decode_image(red_and_blue_jpeg());
  EXPECT_EQ(image.height, 8);
  EXPECT_EQ(image.width, 16);
  ASSERT_EQ(image.pixels.size(), 8u * 16 * 3);
  expect_near(pixel(image, 7, 0), {255, 0, 0});
  expect_near(pixel(image, 0, 15), {0, 0, 255});
}

bool is_plain(const std::string& bytes) {
  return open_picture(bytes)->is_plain_jpeg();
}

TEST(Jpeg, IsPlainIfItIsBaseline) {
  const std::vector<uint8_t> halves_of_8x16 = halves(8, 16, kRed, kBlue);
  const std::string jpeg = made_jpeg(8, 16, JCS_RGB, halves_of_8x16);
  EXPECT_TRUE(is_plain(jpeg));
  EXPECT_TRUE(is_plain(jpeg + "anything behind its end"));
  EXPECT_TRUE(is_plain(made_jpeg(8, 16, JCS_GRAYSCALE, halves(8, 16, {200}, {10}))));
  EXPECT_FALSE(is_plain(made_jpeg(8, 16, JCS_RGB, halves_of_8x16, /*progressive=*/true)));
  EXPECT_FALSE(is_plain(made_jpeg(8, 16, JCS_CMYK, halves(8, 16, {0, 9, 9, 9}, {9, 9, 9, 0}))));
  EXPECT_FALSE(is_plain(made_png(8, 16, PNG_COLOR_TYPE_RGB, 8, halves_of_8x16)));
}

TEST(Jpeg, GrayBecomesThreeEqualChannels) {
  const Image image = decode_image(made_jpeg(8, 16, JCS_GRAYSCALE, halves(8, 16, {200}, {10})));
  expect_near(pixel(image, 0, 0), {200, 200, 200});
  expect_near(pixel(image, 0, 15), {10, 10, 10});
}

TEST(Jpeg, PrintingColorsBecomeRedGreenAndBlue) {
  // As files keep them: 255 is no ink.
  const std::string file =
      made_jpeg(8, 16, JCS_CMYK, halves(8, 16, {255, 0, 0, 255}, {200, 100, 255, 128}));
  const Image image = decode_image(file);
  expect_near(pixel(image, 0, 0), {255, 0, 0});
  expect_near(pixel(image, 0, 15), {100, 50, 128});
}

TEST(Jpeg, IsReadInPartAsTheWholeIs) {
  // Every column and row has its own color, so that a shift by one would show.
  std::vector<uint8_t> pixels;
  for (int y = 0; y < 60; ++y)
    for (int x = 0; x < 90; ++x)
      for (const int value : {4 * y, 2 * x, 200 - x - y})
        pixels.push_back(static_cast<uint8_t>(value));
  const std::string file = made_jpeg(60, 90, JCS_RGB, pixels);
  const Image whole = decode_image(file);
  for (const Region& part :
       {Region{0, 0, 60, 90}, {17, 21, 30, 40}, {59, 89, 1, 1}, {0, 40, 5, 50}, {33, 0, 27, 90}}) {
    std::vector<uint8_t> memory;
    const PixelRows rows = open_picture(file)->read(part, 8, memory, Rest::skip);
    for (int64_t y = 0; y < part.height; ++y)
      for (int64_t x = 0; x < part.width; ++x) {
        const uint8_t* seen = rows.first + y * rows.row_bytes + x * 3;
        ASSERT_EQ(Pixel(seen, seen + 3), pixel(whole, part.top + y, part.left + x))
            << y << ' ' << x;
      }
  }
}

TEST(Jpeg, MissingBytesAreAnErrorAndNotGray) {
  const std::string file = made_jpeg(64, 64, JCS_RGB, halves(64, 64, kRed, kBlue));
  EXPECT_THAT(error_of(file.substr(0, file.size() - 60)), HasSubstr("JPEG: "));
  EXPECT_THAT(error_of(file.substr(0, 100)), HasSubstr("JPEG: "));
}

// Of every kind: the smallest rectangle at the top finds what decoding all of it finds.
TEST(Images, AreWholeOrDamagedByOneRule) {
  std::vector<uint8_t> noise;
  for (int i = 0; i < 60 * 50 * 4; ++i)
    noise.push_back(static_cast<uint8_t>(i * 2654435761u >> 24));
  const std::string files[] = {
      made_jpeg(60, 50, JCS_RGB, noise),
      made_jpeg(60, 50, JCS_RGB, noise, /*progressive=*/true),
      made_jpeg(60, 50, JCS_GRAYSCALE, noise),
      made_jpeg(60, 50, JCS_CMYK, noise),
      made_png(60, 50, PNG_COLOR_TYPE_RGB, 8, noise),
      made_png(60, 50, PNG_COLOR_TYPE_RGB, 8, noise, {}, PNG_INTERLACE_ADAM7)};
  for (const std::string& file : files) {
    EXPECT_NO_THROW(require_whole({file}));
    for (size_t size = 0; size < file.size(); size += 1 + file.size() / 97) {
      const std::string cut = file.substr(0, size), error = error_of(cut);
      EXPECT_NE(error, "no error") << size;
      try {
        require_whole({cut});
        ADD_FAILURE() << size << " of " << file.size();
      } catch (const core::Error& seen) {
        EXPECT_EQ(seen.what(), error) << size;
      }
    }
  }
}

TEST(Jpeg, BytesBehindThePictureDoNoHarm) {
  expect_near(pixel(decode_image(red_and_blue_jpeg() + "more"), 0, 0), {255, 0, 0});
}

TEST(Png, GivesExactPixelsOfEveryColorType) {
  struct Case {
    std::string file;
    Pixel left, right;
  };
  const Case cases[] = {
      {made_png(2, 4, PNG_COLOR_TYPE_RGB, 8, halves(2, 4, kRed, kBlue)), {255, 0, 0}, {0, 0, 255}},
      {made_png(2, 4, PNG_COLOR_TYPE_RGB_ALPHA, 8, halves(2, 4, {1, 2, 3, 0}, {4, 5, 6, 255})),
       {1, 2, 3},
       {4, 5, 6}},
      {made_png(2, 4, PNG_COLOR_TYPE_GRAY, 8, halves(2, 4, {7}, {9})), {7, 7, 7}, {9, 9, 9}},
      {made_png(2, 8, PNG_COLOR_TYPE_GRAY, 1, {0x0f, 0x0f}), {0, 0, 0}, {255, 255, 255}},
      {made_png(2, 4, PNG_COLOR_TYPE_RGB, 16,
                halves(2, 4, {8, 99, 9, 99, 10, 99}, {200, 1, 0, 1, 0, 255})),
       {8, 9, 10},
       {200, 0, 0}},
      {made_png(2, 4, PNG_COLOR_TYPE_GRAY, 16, halves(2, 4, {0, 99}, {200, 1})),
       {99, 99, 99},
       {255, 255, 255}},
      {made_png(2, 4, PNG_COLOR_TYPE_PALETTE, 8, halves(2, 4, {1}, {0}), {10, 20, 30, 40, 50, 60}),
       {40, 50, 60},
       {10, 20, 30}},
      {made_png(2, 4, PNG_COLOR_TYPE_RGB, 8, halves(2, 4, kRed, kBlue), {}, PNG_INTERLACE_ADAM7),
       {255, 0, 0},
       {0, 0, 255}}};
  for (const Case& each : cases) {
    const Image image = decode_image(each.file);
    EXPECT_EQ(image.height, 2);
    EXPECT_EQ(pixel(image, 1, 0), each.left);
    EXPECT_EQ(pixel(image, 0, image.width - 1), each.right);
  }
}

TEST(Png, DamageIsAnError) {
  std::string file = made_png(8, 8, PNG_COLOR_TYPE_RGB, 8, halves(8, 8, kRed, kBlue));
  EXPECT_THAT(error_of(file.substr(0, file.size() - 15)),
              HasSubstr("PNG: the file ends too early"));
  file[50] ^= 0x40;
  EXPECT_THAT(error_of(file), HasSubstr("PNG: "));
}

TEST(Images, OfAnotherFormatOrNoneAreNamed) {
  EXPECT_EQ(error_of(""), "the file is empty");
  EXPECT_EQ(error_of("GIF89a"), "neither JPEG nor PNG");
}

TEST(Images, ThatClaimToBeHugeAreRefusedBeforeTheyAreRead) {
  std::string file = red_and_blue_jpeg();
  const size_t frame = file.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  file.replace(frame + 5, 4, "\xff\xdc\xff\xdc");  // height and width
  EXPECT_EQ(error_of(file), "a picture of 65500x65500 pixels");
}

using ImageFiles = FolderTest;

TEST_F(ImageFiles, OfClassFoldersComeInTheOrderOfTheirNames) {
  for (const char* name : {"train/b/2.jpg", "train/b/1.jpg", "val/a/3.png", "train/.x/0.jpg",
                           "train/b/.hidden", "other/c/4.jpg"})
    write(name, "x");
  EXPECT_THAT(images_in_class_folders(folder()),
              ElementsAre(folder() / "train/b/1.jpg", folder() / "train/b/2.jpg",
                          folder() / "val/a/3.png"));
  EXPECT_THAT(images_in_class_folders(folder() / "train"),
              ElementsAre(folder() / "train/b/1.jpg", folder() / "train/b/2.jpg"));
  EXPECT_THROW(images_in_class_folders(folder() / "train/b"), core::Error);
}

TEST_F(ImageFiles, OfAListMayHaveLabelsAndBlanks) {
  write("train/a/1.jpg", "x");
  write("b/two words.jpg", "x");
  const fs::path list = write("train.txt", "a/1.jpg 0\n\nb/two words.jpg\r\nb/none.jpg 3\n");
  EXPECT_THAT(listed_images(list, folder()),
              ElementsAre(folder() / "train/a/1.jpg", folder() / "b/two words.jpg",
                          folder() / "b/none.jpg"));
}

TEST_F(ImageFiles, ThatAreBadAreFoundInTheOrderOfTheFilesWithAnyNumberOfThreads) {
  std::vector<fs::path> files;
  for (int i = 0; i < 600; ++i)
    files.push_back(write(std::to_string(i), i % 200 == 7 ? "no image" : red_and_blue_jpeg()));
  files.push_back(folder() / "none");
  for (const int threads : {1, 3}) {
    std::vector<size_t> reports;
    const auto bad =
        find_bad_images(images_of(files), threads, [&](size_t done) { reports.push_back(done); });
    ASSERT_EQ(bad.size(), 4u);
    EXPECT_EQ(bad[0].name, files[7].string());
    EXPECT_EQ(bad[0].reason, "neither JPEG nor PNG");
    EXPECT_EQ(bad[2].name, files[407].string());
    EXPECT_THAT(bad[3].reason, HasSubstr("cannot read"));
    EXPECT_THAT(reports, ElementsAre(256u, 512u));
  }
}

}  // namespace
}  // namespace lowbit::data
