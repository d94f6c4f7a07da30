// Pictures that are packed into one file, and what comes out of it.
#include "lowbit/data/packed_images.h"

#include <gmock/gmock.h>
#include <sys/mman.h>

#include <fstream>

#include "lowbit/core/files.h"
#include "lowbit/data/batches.h"
#include "lowbit/data/imagenet.h"
#include "lowbit/data/pack.h"
#include "lowbit/data/sample.h"
#include "made_files.h"
#include "photographs.h"
#include "support/made_images.h"
#include "support/packed_files.h"

namespace lowbit::data {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class PackedSets : public FolderTest {
 protected:
  PackedSets() { ::setenv("XDG_CACHE_HOME", (folder() / "cache").c_str(), 1); }

  fs::path set() const { return folder() / "set"; }
  fs::path file() const { return folder() / "set.pictures"; }
  std::string file_bytes() const { return core::read_file(file()); }

  // Three training pictures of two classes and one of validation, of a few pixels.
  void write_small_set() const {
    using testing_support::halves;
    const auto jpeg = [](uint8_t red) {
      return testing_support::made_jpeg(9, 6, JCS_RGB, halves(9, 6, {red, 2, 3}, {9, 90, 200}));
    };
    write("set/train/a/1.jpg", jpeg(250));
    write("set/train/a/2.png", testing_support::made_png(5, 7, PNG_COLOR_TYPE_RGB, 8,
                                                         halves(5, 7, {1, 2, 3}, {4, 5, 6})));
    write("set/train/b/1.jpg", jpeg(20));
    write("set/val/a/x.jpg", jpeg(100));
    write("set/val/b/y.jpg", jpeg(30));
  }
  // The photographs of the fixtures in both splits, three classes.
  void write_photographs() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(photograph_folder()))
      files.push_back(entry.path());
    std::ranges::sort(files);
    for (const Split split : kSplits)
      for (size_t i = 0; i < 2 * files.size(); ++i) {
        const fs::path to = set() / folder_name(split) /
                            std::string(1, static_cast<char>('a' + i % 3)) /
                            fmt::format("{:03}.jpg", i);
        fs::create_directories(to.parent_path());
        fs::copy_file(files[i % files.size()], to);
      }
  }

  Packed pack(const PackOptions& options = {}) const { return pack(options, set(), file()); }
  static Packed pack(const PackOptions& options, const fs::path& from, const fs::path& to) {
    return pack_images(from, to, options, [](size_t, size_t) {});
  }
  std::string pack_error(const PackOptions& options = {}) const {
    return error_in([&] { pack(options); });
  }

  template <class Body>
  static std::string error_in(const Body& body) {
    try {
      body();
    } catch (const core::Error& error) {
      return error.what();
    }
    return "nothing was thrown";
  }

  // Of one of both roots.
  std::unique_ptr<const PictureSet> open(const fs::path& root, Split split = Split::train) const {
    return open_pictures(options_for("imagenet", root), split);
  }
};

Image image_of(const PictureSet& set, int64_t i) {
  std::string memory;
  return decode_image(*open_picture(set.stored(i, memory)));
}

std::string bytes_of(const PictureSet& set, int64_t i) {
  std::string memory;
  return std::string(set.stored(i, memory).bytes);
}

std::vector<std::string> names_of(const PictureSet& set) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < set.size(); ++i)
    names.push_back(fmt::format("{} {}", set.label(i), fs::path(set.name(i)).filename().string()));
  return names;
}

TEST_F(PackedSets, HaveTheFilesOfTheFolderByteForByte) {
  write_small_set();
  const Packed packed = pack({.threads = 3});
  EXPECT_EQ(packed.train, 3);
  EXPECT_EQ(packed.validation, 2);
  EXPECT_EQ(packed.classes, 2u);
  for (const Split split : kSplits) {
    const auto folder = open(set(), split), one = open(file(), split);
    EXPECT_EQ(names_of(*one), names_of(*folder));
    EXPECT_EQ(one->class_names(), folder->class_names());
    for (int64_t i = 0; i < folder->size(); ++i)
      EXPECT_EQ(bytes_of(*one, i), bytes_of(*folder, i)) << i;
  }
  EXPECT_EQ(open(file())->name(1), file().string() + ": train/a/2.png");
}

TEST_F(PackedSets, GiveTheBatchesOfTheFolder) {
  write_photographs();
  pack({.threads = 2});
  constexpr int64_t kSide = 48, kSamples = 12;
  for (const Split split : kSplits)
    for (int64_t epoch = 0; epoch < 2; ++epoch) {
      std::vector<torch::Tensor> images, targets;
      for (const fs::path& root : {set(), file()}) {
        config::DataOptions options = options_for("imagenet", root);
        options.input_size = kSide;
        options.workers = 2;
        options.addition_augment = true;
        const auto source = open_batches(options, split, 5, kernels::Backend::cpu, torch::kCPU);
        ASSERT_EQ(source->size(), kSamples);
        images.push_back(torch::empty({kSamples, 3, kSide, kSide}));
        targets.push_back(torch::empty({kSamples}, torch::kInt64));
        source->start_epoch(epoch);
        source->assemble_at(0, images.back(), targets.back());
      }
      EXPECT_TRUE(images[0].equal(images[1]));
      EXPECT_TRUE(targets[0].equal(targets[1]));
    }
}

TEST_F(PackedSets, OfPixelsAreTheDecodedPictures) {
  write_small_set();
  pack({.format = PackedFormat::pixels});
  const auto folder = open(set()), one = open(file());
  for (int64_t i = 0; i < folder->size(); ++i) {
    const Image expected = image_of(*folder, i), seen = image_of(*one, i);
    EXPECT_EQ(seen.height, expected.height);
    EXPECT_EQ(seen.width, expected.width);
    EXPECT_EQ(seen.pixels, expected.pixels);
  }
}

TEST_F(PackedSets, OfAnyDepthKeepTheirOrderAndPlaces) {
  write_small_set();
  for (const char* name : {"images/0.jpg", "images/deep/1.jpg", "1.jpg.d/2.jpg"})
    write(fmt::format("set/train/b/{}", name), core::read_file(set() / "train/a/1.jpg"));
  pack();
  const fs::path twice = folder() / "again";
  pack({}, file(), twice);
  const auto of_folder = open(set());
  for (const fs::path& root : {file(), twice}) {
    const auto packed = open(root);
    ASSERT_EQ(packed->size(), of_folder->size());
    for (int64_t i = 0; i < packed->size(); ++i) {
      EXPECT_EQ(packed->file_name(i), of_folder->file_name(i));
      EXPECT_EQ(packed->label(i), of_folder->label(i));
      EXPECT_EQ(bytes_of(*packed, i), bytes_of(*of_folder, i));
    }
  }
  EXPECT_EQ(of_folder->file_name(5), "images/deep/1.jpg");
}

TEST_F(PackedSets, OfASideAreThePicturesResizedAsValidationResizesThem) {
  write_photographs();
  pack({.format = PackedFormat::pixels, .side = 256, .threads = 2});
  const auto folder = open(set(), Split::validation), one = open(file(), Split::validation);
  std::vector<uint8_t> expected(224 * 224 * 3), seen(224 * 224 * 3);
  for (int64_t i = 0; i < folder->size(); ++i) {
    std::string memory;
    const auto from = open_picture(folder->stored(i, memory)),
               packed = open_picture(one->stored(i, memory));
    EXPECT_EQ(std::min(packed->height(), packed->width()), 256);
    SampleMaker({}).make(*from, 0, i, expected);
    SampleMaker({}).make(*packed, 0, i, seen);
    EXPECT_EQ(seen, expected) << i;
  }
}

TEST_F(PackedSets, OfASideAsJpegDifferFromThePixelsByItsLossAlone) {
  write_photographs();
  pack({.format = PackedFormat::pixels, .side = 64});
  const fs::path better = folder() / "better", worse = folder() / "worse";
  pack({.side = 64, .quality = 95}, set(), better);
  pack({.side = 64, .quality = 30}, set(), worse);
  EXPECT_LT(fs::file_size(worse), fs::file_size(better));
  const auto pixels = open(file()), jpeg = open(better);
  for (int64_t i = 0; i < pixels->size(); ++i) {
    const Image a = image_of(*pixels, i), b = image_of(*jpeg, i);
    ASSERT_EQ(a.pixels.size(), b.pixels.size());
    EXPECT_EQ(a.width, b.width);
    double distance = 0;
    for (size_t k = 0; k < a.pixels.size(); ++k) distance += std::abs(a.pixels[k] - b.pixels[k]);
    EXPECT_LT(distance / static_cast<double>(a.pixels.size()), 6) << i;
    EXPECT_GT(distance, 0) << i;
  }
}

TEST_F(PackedSets, AreTheSameWithAnyNumberOfThreadsAndFromAPackedSet) {
  write_photographs();
  const fs::path one = folder() / "one", two = folder() / "two";
  pack({.threads = 1});
  pack({.format = PackedFormat::pixels, .side = 50, .threads = 1}, set(), one);
  pack({.format = PackedFormat::pixels, .side = 50, .threads = 4}, file(), two);
  EXPECT_EQ(core::read_file(one), core::read_file(two));
}

TEST_F(PackedSets, MayLackASplit) {
  write_small_set();
  fs::remove_all(set() / "train");
  EXPECT_EQ(pack().train, 0);
  EXPECT_EQ(open(file(), Split::validation)->size(), 2);
  EXPECT_EQ(error_in([&] { open(file()); }),
            fmt::format("'{}' has no images of train/", file().string()));
  EXPECT_FALSE(has_images(options_for("imagenet", file()), Split::train));
  fs::remove_all(set() / "val");
  fs::remove(file());
  EXPECT_THAT(pack_error(), HasSubstr("there is no folder '" + (set() / "train").string()));
}

TEST_F(PackedSets, NameTheFirstDamagedPictureOrLeaveThemOut) {
  write_small_set();
  write("set/train/a/0.jpg", "no picture");
  write("set/train/b/2.jpg", "");
  EXPECT_EQ(pack_error({.threads = 4}),
            (set() / "train/a/0.jpg").string() + ": neither JPEG nor PNG");
  EXPECT_THAT(names_of(*open(set())),
              ElementsAre("0 0.jpg", "0 1.jpg", "0 2.png", "1 1.jpg", "1 2.jpg"));
  EXPECT_FALSE(fs::exists(file()));
  const Packed packed = pack({.skip_damaged = true, .threads = 4});
  EXPECT_EQ(packed.train, 3);
  ASSERT_EQ(packed.left_out.size(), 2u);
  EXPECT_EQ(packed.left_out[0].name, (set() / "train/a/0.jpg").string());
  EXPECT_EQ(packed.left_out[1].reason, "the file is empty");
  EXPECT_THAT(names_of(*open(file())), ElementsAre("0 1.jpg", "0 2.png", "1 1.jpg"));
}

TEST_F(PackedSets, TakeNoFilesPlaceAndLeaveNothingBesideThem) {
  write_small_set();
  write("set.pictures", "mine");
  EXPECT_EQ(pack_error(), fmt::format("'{}' exists already", file().string()));
  EXPECT_EQ(file_bytes(), "mine");
  fs::remove(file());
  write("set/val/b/z.jpg", "no picture");
  EXPECT_THAT(pack_error(), HasSubstr("z.jpg: neither JPEG nor PNG"));
  for (const auto& entry : fs::directory_iterator(folder()))
    EXPECT_THAT(entry.path().filename().string(), testing::AnyOf("set", "cache"));
}

// All that a file can give, or the first error.
std::string read_through(std::string_view bytes) {
  try {
    const PackedIndex index(bytes);
    for (const Split split : kSplits)
      for (int64_t i = 0; i < index.size(split); ++i) {
        const PackedPicture picture = index.picture(split, i);
        index.name_of(picture);
        decode_image(*open_picture(index.stored(picture)));
      }
  } catch (const core::Error& error) {
    return error.what();
  }
  return "";
}

TEST_F(PackedSets, CutAnywhereAreDamaged) {
  write_small_set();
  pack();
  const std::string whole = file_bytes();
  EXPECT_EQ(read_through(whole), "");
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::string cut = whole.substr(0, size);
    EXPECT_NE(read_through(cut), "") << size;
    std::string sealed = cut;
    testing_support::seal(sealed);
    EXPECT_NE(read_through(sealed), "") << size;
  }
  EXPECT_NE(read_through(whole + "x"), "");
}

TEST_F(PackedSets, WithAnyByteChangedAreDamaged) {
  write_small_set();
  for (const PackedFormat format : {PackedFormat::files, PackedFormat::pixels}) {
    fs::remove(file());
    pack({.format = format});
    const std::string whole = file_bytes();
    for (size_t i = 0; i < whole.size(); ++i) {
      std::string changed = whole;
      changed[i] = static_cast<char>(changed[i] ^ 0x40);
      EXPECT_NE(read_through(changed), "") << i;
    }
  }
}

// Numbers that were changed on purpose, checksums included, are looked at before they are used.
TEST_F(PackedSets, WithWrongNumbersAreAnErrorAndNothingWorse) {
  write_small_set();
  pack({.format = PackedFormat::pixels});
  const std::string whole = file_bytes();
  PackedHeader header;
  std::memcpy(&header, whole.data(), sizeof header);
  const auto with = [&](size_t offset, uint64_t number, size_t bytes) {
    std::string changed = whole;
    std::memcpy(changed.data() + offset, &number, bytes);
    testing_support::seal(changed);
    return read_through(changed);
  };
  constexpr uint64_t kNumbers[] = {1ull << 31, 1ull << 62, ~0ull, ~0ull / 48 + 1};
  for (const uint64_t number : kNumbers) {
    for (const size_t offset :
         {offsetof(PackedHeader, index_offset), offsetof(PackedHeader, pictures),
          offsetof(PackedHeader, pictures) + 8, offsetof(PackedHeader, classes)})
      EXPECT_NE(with(offset, number, 8), "") << offset << ' ' << number;
    for (const size_t offset : {offsetof(PackedPicture, offset), offsetof(PackedPicture, bytes),
                                offsetof(PackedPicture, name)})
      EXPECT_NE(with(header.index_offset + offset, number, 8), "") << offset << ' ' << number;
  }
  for (const uint32_t number : {0u, 1u, 2u, 1u << 31, ~0u})
    for (const size_t offset : {offsetof(PackedPicture, height), offsetof(PackedPicture, width)})
      EXPECT_NE(with(header.index_offset + offset, number, 4), "") << offset << ' ' << number;
  EXPECT_EQ(with(header.index_offset + offsetof(PackedPicture, label), 1, 4), "");
  EXPECT_NE(with(header.index_offset + offsetof(PackedPicture, label), 2, 4), "");
  EXPECT_NE(with(offsetof(PackedHeader, format), 2, 4), "");
  EXPECT_THAT(with(offsetof(PackedHeader, version), 9, 4), HasSubstr("of version 9"));
}

TEST_F(PackedSets, ThatAreDamagedAreNamedWithTheirPicture) {
  write_small_set();
  pack();
  std::string changed = file_bytes();
  changed[sizeof(PackedHeader) + 20] ^= 1;  // in the first picture
  write("set.pictures", changed);
  const auto images = open(file());
  EXPECT_EQ(error_in([&] { image_of(*images, 0); }), "its bytes are not those that were packed");
  image_of(*images, 1);
  const std::vector<BadImage> bad =
      find_bad_images(images_of(std::shared_ptr<const PictureSet>(open(file()))), 2, [](size_t) {});
  ASSERT_EQ(bad.size(), 1u);
  EXPECT_EQ(bad[0].name, file().string() + ": train/a/1.jpg");

  write("set.pictures", changed.substr(0, changed.size() - 1));
  EXPECT_THAT(error_in([&] { open(file()); }),
              AllOf(HasSubstr(file().string()), HasSubstr("bytes of")));
  write("set.pictures", "");
  EXPECT_THAT(error_in([&] { open(file()); }),
              AllOf(HasSubstr(file().string()), HasSubstr("no set of packed")));
}

TEST_F(PackedSets, CutWhileTheyAreReadAreAnError) {
  if (::madvise(nullptr, 0, MADV_POPULATE_READ) != 0) GTEST_SKIP() << "Linux 5.14 can tell";
  write_photographs();
  pack();
  const auto images = open(file());
  image_of(*images, 11);
  fs::resize_file(file(), 4096);
  EXPECT_THAT(error_in([&] { image_of(*images, 11); }),
              HasSubstr("cannot read '" + file().string()));
}

}  // namespace
}  // namespace lowbit::data
