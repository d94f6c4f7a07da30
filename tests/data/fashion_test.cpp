#include <gmock/gmock.h>

#include "made_files.h"

namespace lowbit::data {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::string kImages = "train-images-idx3-ubyte", kLabels = "train-labels-idx1-ubyte";

class Fashion : public FolderTest {
 protected:
  // Two images whose bytes count up from 1, labels 9 and 0.
  Fashion() {
    write(kImages + ".gz", gzipped(images_));
    write(kLabels + ".gz", gzipped(labels_));
  }

  std::string error() const { return error_of("fashion", folder(), Split::train).what(); }

  const std::string images_ = idx({2, 28, 28}, counting_bytes(2 * 28 * 28, 1));
  const std::string labels_ = idx({2}, std::string("\x09\x00", 2));
};

TEST_F(Fashion, ImagesGetABlackBorderAndThreeEqualChannels) {
  const ImageSet set = load(options_for("fashion", folder()), Split::train);
  EXPECT_TRUE(set.pixels.is_contiguous());
  EXPECT_EQ(set.pixels.sizes(), (std::vector<int64_t>{2, 32, 32, 3}));
  for (const int64_t channel : {0, 1, 2}) {
    EXPECT_EQ((set.pixels[0][2][2][channel].item<int64_t>()), 1);
    EXPECT_EQ((set.pixels[0][2][3][channel].item<int64_t>()), 8);
    EXPECT_EQ((set.pixels[1][29][29][channel].item<int64_t>()), (7 * 1567 + 1) % 251);
  }
  torch::Tensor border = set.pixels.clone();
  border.slice(1, 2, 30).slice(2, 2, 30).zero_();
  EXPECT_EQ(border.sum().item<int64_t>(), 0);
  EXPECT_TRUE(set.labels.equal(torch::tensor({9, 0}, torch::kInt64)));
  EXPECT_EQ(set.class_names[9], "Ankle boot");
}

TEST_F(Fashion, PlainFilesAreReadAsWell) {
  const ImageSet packed = load(options_for("fashion", folder()), Split::train);
  for (const std::string& name : {kImages, kLabels}) {
    std::filesystem::remove(folder() / (name + ".gz"));
  }
  write(kImages, images_);
  write(kLabels, labels_);
  const ImageSet plain = load(options_for("fashion", folder() / kImages), Split::train);
  EXPECT_TRUE(plain.pixels.equal(packed.pixels));
  EXPECT_TRUE(plain.labels.equal(packed.labels));
}

TEST_F(Fashion, TheSplitsAreDifferentFiles) {
  const core::Error error = error_of("fashion", folder(), Split::validation);
  EXPECT_THAT(error.what(), HasSubstr("t10k-images-idx3-ubyte.gz"));
  EXPECT_THAT(error.details(), HasSubstr("dataset-fashion-mnist"));
}

TEST_F(Fashion, AMissingFileIsNamed) {
  std::filesystem::remove(folder() / (kLabels + ".gz"));
  EXPECT_THAT(error(), AllOf(HasSubstr(kLabels + ".gz"), HasSubstr("missing")));
}

TEST_F(Fashion, ACutGzipFileIsNamed) {
  const std::string whole = gzipped(images_);
  for (const size_t kept : {whole.size() - 1, whole.size() / 2, size_t{12}}) {
    write(kImages + ".gz", whole.substr(0, kept));
    EXPECT_THAT(error(), HasSubstr(kImages + ".gz': unexpected end of file")) << kept;
  }
}

TEST_F(Fashion, AFlippedBitIsFound) {
  std::string damaged = gzipped(images_);
  damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 4);
  write(kImages + ".gz", damaged);
  EXPECT_THAT(error(), HasSubstr(kImages + ".gz"));
}

TEST_F(Fashion, AHeaderThatPromisesMoreThanThereIsIsRefused) {
  write(kImages + ".gz", gzipped(idx({3, 28, 28}, counting_bytes(2 * 28 * 28, 1))));
  EXPECT_THAT(error(), AllOf(HasSubstr("1584 bytes"), HasSubstr("expected 2368 by its header")));
  write(kImages + ".gz", gzipped(idx({~0u, ~0u, ~0u}, "")));
  EXPECT_THAT(error(), HasSubstr("16 bytes"));
}

TEST_F(Fashion, AnotherFormatIsRefused) {
  write(kImages + ".gz", gzipped(labels_));
  EXPECT_THAT(error(), AllOf(HasSubstr("10 bytes"), HasSubstr("header of 16")));
  write(kImages + ".gz", gzipped(idx({28, 28, 2, 1}, counting_bytes(2 * 28 * 28, 1))));
  EXPECT_THAT(error(), AllOf(HasSubstr("begins with 0x804"), HasSubstr("not 0x803")));
}

TEST_F(Fashion, ImagesOfAnotherSizeAreRefused) {
  write(kImages + ".gz", gzipped(idx({2, 14, 56}, counting_bytes(2 * 28 * 28, 1))));
  EXPECT_THAT(error(), AllOf(HasSubstr("14x56"), HasSubstr("28x28")));
  write(kImages + ".gz", gzipped(idx({0, 28, 28}, "")));
  EXPECT_THAT(error(), HasSubstr("0 images"));
}

TEST_F(Fashion, MoreThanThePublishedBytesAreRefused) {
  write(kImages + ".gz", gzipped(std::string(16 + 60000 * 784 + 1, '\0')));
  EXPECT_THAT(error(), AllOf(HasSubstr("longer"), HasSubstr("47040016")));
}

TEST_F(Fashion, LabelsMustFitTheImages) {
  write(kLabels + ".gz", gzipped(idx({3}, std::string("\x01\x02\x03", 3))));
  EXPECT_THAT(error(), AllOf(HasSubstr("3 labels"), HasSubstr("2 images")));
  write(kLabels + ".gz", gzipped(idx({2}, std::string("\x01\x0a", 2))));
  EXPECT_THAT(error(), AllOf(HasSubstr("image 1 "), HasSubstr("label 10"), HasSubstr("0..9")));
}

}  // namespace
}  // namespace lowbit::data
