#include <gmock/gmock.h>

#include "made_files.h"

namespace lowbit::data {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

constexpr size_t kImageBytes = 3072;

// A record for each label, the image of record i begins with byte 10 i.
std::string cifar10_records(const std::vector<int>& labels) {
  std::string file;
  for (size_t i = 0; i < labels.size(); ++i) {
    file += static_cast<char>(labels[i]) + counting_bytes(kImageBytes, 10 * i);
  }
  return file;
}

std::string cifar100_records(const std::vector<int>& labels) {
  std::string file;
  for (size_t i = 0; i < labels.size(); ++i) {
    // A coarse label that is never the fine one.
    file += static_cast<char>((labels[i] + 1) % 20);
    file += static_cast<char>(labels[i]) + counting_bytes(kImageBytes, 10 * i);
  }
  return file;
}

std::string length(size_t size) {
  std::string bytes;
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(size >> shift);
  return bytes;
}

std::string python_text(const std::string& text) {
  return 'U' + std::string(1, static_cast<char>(text.size())) + text;
}

// Of a dict, opcode by opcode as Python 2 writes it with protocol 2.
std::string python2_pickle(const std::string& entries) {
  using namespace std::string_literals;
  return "\x80\x02}("s + entries + "u.";
}

std::string python2_array(size_t rows, size_t columns, const std::string& content) {
  using namespace std::string_literals;
  const auto two = [](size_t n) { return "M"s + static_cast<char>(n) + static_cast<char>(n >> 8); };
  return "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\x01"s + "b\x87R(K\x01"s +
         two(rows) + two(columns) + "\x86" +
         "cnumpy\ndtype\nU\x02u1K\0K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"s +
         "\x89T" + length(content.size()) + content + "tb";
}

// The same by Python 3 with protocol 5.
std::string python3_array(size_t rows, const std::string& content) {
  using namespace std::string_literals;
  const auto text = [](const std::string& name) {
    return "\x8c"s + static_cast<char>(name.size()) + name;
  };
  return text("numpy._core.numeric") + text("_frombuffer") + "\x93(" + "\x96" +
         length(content.size()) + std::string(4, '\0') + content + text("numpy") + text("dtype") +
         "\x93" + text("u1") + "\x89\x88\x87R(K\x03" + text("|") + "NNNJ\xff\xff\xff\xff" +
         "J\xff\xff\xff\xffK\0tb"s + "K" + static_cast<char>(rows) + "M\x00\x0c\x86"s + text("C") +
         "tR";
}

std::string python_numbers(const std::vector<int>& numbers) {
  std::string list = "](";
  for (const int number : numbers) list += std::string("K") + static_cast<char>(number);
  return list + "e";
}

// What the records of the binary version hold, image by image.
std::string planes_of(size_t count) {
  std::string images;
  for (size_t i = 0; i < count; ++i) images += counting_bytes(kImageBytes, 10 * i);
  return images;
}

std::string cifar10_pickle(const std::vector<int>& labels) {
  return python2_pickle(python_text("batch_label") + python_text("training batch 1 of 5") +
                        python_text("labels") + python_numbers(labels) + python_text("data") +
                        python2_array(labels.size(), kImageBytes, planes_of(labels.size())));
}

class Cifar : public FolderTest {
 protected:
  // The six files and the names, under `prefix`.
  std::vector<std::pair<std::string, std::string>> cifar10_files(const std::string& prefix) const {
    std::vector<std::pair<std::string, std::string>> files;
    for (int i = 1; i <= 5; ++i) {
      files.emplace_back(fmt::format("{}data_batch_{}.bin", prefix, i),
                         cifar10_records({i, 2 * i - 1}));
    }
    files.emplace_back(prefix + "test_batch.bin", cifar10_records({9, 0, 4}));
    files.emplace_back(prefix + "batches.meta.txt",
                       "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n");
    return files;
  }

  // The same for Python.
  std::vector<std::pair<std::string, std::string>> python_files(const std::string& prefix) const {
    std::vector<std::pair<std::string, std::string>> files;
    for (int i = 1; i <= 5; ++i)
      files.emplace_back(fmt::format("{}data_batch_{}", prefix, i), cifar10_pickle({i, 2 * i - 1}));
    files.emplace_back(prefix + "test_batch", cifar10_pickle({9, 0, 4}));
    std::string names;
    for (const char* name :
         {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"})
      names += python_text(name);
    files.emplace_back(prefix + "batches.meta",
                       python2_pickle(python_text("label_names") + "](" + names + "e"));
    return files;
  }

  void write_cifar10(const std::string& prefix) const {
    for (const auto& [name, content] : cifar10_files(prefix)) write(name, content);
  }

  void expect_is_cifar10(const std::filesystem::path& root) const {
    const ImageSet train = load(options_for("cifar10", root), Split::train);
    EXPECT_TRUE(train.labels.equal(torch::tensor({1, 1, 2, 3, 3, 5, 4, 7, 5, 9}, torch::kInt64)));
    EXPECT_EQ(train.pixels.sizes(), (std::vector<int64_t>{10, 32, 32, 3}));
    const ImageSet validation = load(options_for("cifar10", root), Split::validation);
    EXPECT_TRUE(validation.labels.equal(torch::tensor({9, 0, 4}, torch::kInt64)));
    EXPECT_EQ(validation.class_names[8], "ship");
  }
};

TEST_F(Cifar, PlanesOfColorBecomePixels) {
  write("train.bin", cifar100_records({3, 99}));
  const ImageSet set = load(options_for("cifar100", folder()), Split::train);
  EXPECT_TRUE(set.pixels.is_contiguous());
  for (const int64_t row : {0, 5, 31}) {
    for (const int64_t column : {0, 17, 31}) {
      for (const int64_t channel : {0, 1, 2}) {
        const int64_t place = (channel * 32 + row) * 32 + column;
        EXPECT_EQ((set.pixels[1][row][column][channel].item<int64_t>()), (7 * place + 10) % 251);
      }
    }
  }
}

TEST_F(Cifar, TheClassOfCifar100IsTheFineLabel) {
  write("test.bin", cifar100_records({3, 99, 42}));
  const ImageSet set = load(options_for("cifar100", folder()), Split::validation);
  EXPECT_TRUE(set.labels.equal(torch::tensor({3, 99, 42}, torch::kInt64)));
  EXPECT_EQ(set.class_names.size(), 100u);
  EXPECT_EQ(set.class_names[42], "42");
}

TEST_F(Cifar, RootMayBeTheFolderOfTheFiles) {
  write_cifar10("");
  expect_is_cifar10(folder());
}

TEST_F(Cifar, RootMayBeOneOfTheFiles) {
  write_cifar10("");
  const auto root = folder() / "data_batch_3.bin";
  EXPECT_EQ(load(options_for("cifar10", root), Split::train).size(), 10);
}

TEST_F(Cifar, RootMayHoldThePublishedFolder) {
  write_cifar10("cifar-10-batches-bin/");
  expect_is_cifar10(folder());
}

TEST_F(Cifar, RootMayBeAnArchiveUnderAnyName) {
  const auto archive = write("mine.tgz", gzipped(tar(cifar10_files("cifar-10-batches-bin/"))));
  expect_is_cifar10(archive);
}

TEST_F(Cifar, RootMayHoldThePublishedArchive) {
  write("cifar-10-binary.tar.gz", gzipped(tar(cifar10_files("cifar-10-batches-bin/"))));
  expect_is_cifar10(folder());
}

TEST_F(Cifar, TheVersionForPythonHoldsTheSame) {
  write_cifar10("binary/");
  for (const auto& [name, content] : python_files("py/cifar-10-batches-py/")) write(name, content);
  write("tar/cifar-10-python.tar.gz", gzipped(tar(python_files("cifar-10-batches-py/"))));
  for (const auto& [name, content] : cifar10_files("both/")) write(name, content);
  write("both/data_batch_1", "not even a pickle: the binary version is there");
  const auto mine = write("mine.tgz", gzipped(tar(python_files(""))));
  for (const fs::path& root : {folder() / "py", folder() / "py/cifar-10-batches-py",
                               folder() / "py/cifar-10-batches-py/data_batch_2", folder() / "tar",
                               mine, folder() / "both"}) {
    expect_is_cifar10(root);
    for (const Split split : kSplits) {
      const ImageSet python = load(options_for("cifar10", root), split),
                     binary = load(options_for("cifar10", folder() / "binary"), split);
      EXPECT_TRUE(python.pixels.equal(binary.pixels)) << root;
      EXPECT_TRUE(python.pixels.is_contiguous());
      EXPECT_TRUE(python.labels.equal(binary.labels)) << root;
      EXPECT_EQ(python.class_names, binary.class_names) << root;
    }
  }
}

TEST_F(Cifar, APickleOfPython3HoldsTheSame) {
  const auto text = [](const std::string& name) {
    return std::string("\x8c") + static_cast<char>(name.size()) + name;
  };
  write("py/test", std::string("\x80\x05}(") + text("data") + python3_array(3, planes_of(3)) +
                       text("coarse_labels") + python_numbers({1, 2, 3}) + text("fine_labels") +
                       python_numbers({3, 99, 42}) + "u.");
  write("binary/test.bin", cifar100_records({3, 99, 42}));
  const ImageSet python = load(options_for("cifar100", folder() / "py"), Split::validation),
                 binary = load(options_for("cifar100", folder() / "binary"), Split::validation);
  EXPECT_TRUE(python.pixels.equal(binary.pixels));
  EXPECT_TRUE(python.labels.equal(binary.labels));
}

// Python 3 writes bytes in protocol 2 as characters, of which many take two bytes.
TEST_F(Cifar, APickleMayBeLongerThanItsImages) {
  std::string characters;
  for (const char c : planes_of(2)) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte >= 0x80) characters += static_cast<char>(0xc0 | byte >> 6);
    characters += static_cast<char>(byte >= 0x80 ? 0x80 | (byte & 0x3f) : byte);
  }
  const std::string as_bytes = "T" + length(planes_of(2).size()) + planes_of(2);
  const std::string as_characters = "c_codecs\nencode\nX" + length(characters.size()) + characters +
                                    "X" + length(6) + "latin1\x86R";
  std::string pickle =
      python2_pickle(python_text("data") + python2_array(2, kImageBytes, planes_of(2)) +
                     python_text("fine_labels") + python_numbers({3, 99}));
  pickle.replace(pickle.find(as_bytes), as_bytes.size(), as_characters);
  write("py/test", pickle);
  write("binary/test.bin", cifar100_records({3, 99}));
  EXPECT_TRUE(
      load(options_for("cifar100", folder() / "py"), Split::validation)
          .pixels.equal(
              load(options_for("cifar100", folder() / "binary"), Split::validation).pixels));
  // As much longer as ten thousand images may be.
  write("py/test", pickle + std::string(45'000'000, ' '));
  EXPECT_NO_THROW(load(options_for("cifar100", folder() / "py"), Split::validation));
}

TEST_F(Cifar, APickleOfSomethingElseSaysWhatIsWrong) {
  const std::string labels = python_text("fine_labels"), data = python_text("data");
  const auto error_with = [&](const std::string& content) {
    write("test", content);
    return std::string(error_of("cifar100", folder(), Split::validation).what());
  };
  const std::string good = python2_array(2, kImageBytes, planes_of(2));
  const std::string place = (folder() / "test").string() + ": ";
  EXPECT_EQ(error_with(python2_pickle(labels + python_numbers({1, 2}))),
            place + "a pickle without the entry 'data'");
  EXPECT_EQ(error_with(python2_pickle(data + good)),
            place + "a pickle without the entry 'fine_labels'");
  EXPECT_EQ(error_with(python2_pickle(data + good + labels + python_numbers({1}))),
            place + "it has 2 images and 1 labels");
  EXPECT_EQ(error_with(python2_pickle(data + good + labels + "](NNe")),
            place + "its entry 'fine_labels' holds more than numbers of classes");
  EXPECT_EQ(
      error_with(python2_pickle(data + python_numbers({1, 2}) + labels + python_numbers({1, 2}))),
      place + "its entry 'data' is no array of numpy");
  for (const std::string& array :
       {python2_array(3, kImageBytes, planes_of(2)), python2_array(2, 3071, planes_of(2)),
        python2_array(2, kImageBytes, planes_of(2) + "x"), python2_array(0, kImageBytes, "")})
    EXPECT_EQ(error_with(python2_pickle(data + array + labels + python_numbers({1, 2}))),
              place + "its entry 'data' is no array of N x 3072 bytes, row by row");
  EXPECT_THAT(error_with(python2_pickle(data + good + labels + python_numbers({1, 100}))),
              AllOf(HasSubstr("test'"), HasSubstr("image 1 has label 100, expected 0..99")));
  EXPECT_THAT(error_with("\x80\x02}(U"), HasSubstr(place + "damaged pickle"));
}

TEST_F(Cifar, NothingIsExtractedToDisk) {
  write("cifar-10-binary.tar.gz", gzipped(tar(cifar10_files(""))));
  load(options_for("cifar10", folder()), Split::train);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder()), {}), 1);
}

TEST_F(Cifar, ARootThatDoesNotExistIsNamedWithTheWayToGetTheSet) {
  const core::Error error = error_of("cifar100", folder() / "nowhere", Split::train);
  EXPECT_EQ(error.kind(), core::ErrorKind::failure);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("nowhere"), HasSubstr("does not exist")));
  EXPECT_THAT(error.details(),
              AllOf(HasSubstr("cifar100"), HasSubstr("https://www.cs.toronto.edu/~kriz/"
                                                     "cifar-100-binary.tar.gz")));
}

TEST_F(Cifar, AFolderWithoutTheSetSaysWhatWasLookedForAndWhere) {
  const core::Error error = error_of("cifar10", folder(), Split::validation);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("test_batch.bin"), HasSubstr("cifar-10-binary.tar.gz"),
                                  HasSubstr(folder().string())));
}

TEST_F(Cifar, WithoutARootTheUsualPlacesAreNamed) {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder());
  const core::Error error = error_of("cifar10", "", Split::train);
  write_cifar10("data/cifar-10-batches-bin/");
  const int64_t found = load(options_for("cifar10", ""), Split::train).size();
  std::filesystem::current_path(before);
  EXPECT_THAT(error.what(), HasSubstr("data, data/cifar10, /usr/share/datasets"));
  EXPECT_EQ(found, 10);
}

TEST_F(Cifar, AMissingFileOfFiveIsNamedWithItsSize) {
  write_cifar10("");
  std::filesystem::remove(folder() / "data_batch_4.bin");
  EXPECT_THAT(
      error_of("cifar10", folder(), Split::train).what(),
      AllOf(HasSubstr("data_batch_4.bin"), HasSubstr("missing"), HasSubstr("10000 images")));
}

TEST_F(Cifar, ACutFileIsNamedWithBothSizes) {
  write("train.bin", cifar100_records({1, 2}).substr(0, 6000));
  EXPECT_THAT(error_of("cifar100", folder(), Split::train).what(),
              AllOf(HasSubstr("train.bin"), HasSubstr("6000 bytes"), HasSubstr("153700000"),
                    HasSubstr("50000 records of 3074")));
  write("train.bin", "");
  EXPECT_THAT(error_of("cifar100", folder(), Split::train).what(), HasSubstr("0 bytes"));
}

TEST_F(Cifar, ALongerFileThanPublishedIsRefused) {
  write("test.bin", "");
  std::filesystem::resize_file(folder() / "test.bin", 10001 * 3074);
  EXPECT_THAT(error_of("cifar100", folder(), Split::validation).what(),
              AllOf(HasSubstr("test.bin"), HasSubstr("longer"), HasSubstr("30740000")));
}

TEST_F(Cifar, ALabelOutOfRangeIsNamedWithItsRecord) {
  write("train.bin", cifar100_records({1, 99, 100, 255}));
  EXPECT_THAT(error_of("cifar100", folder(), Split::train).what(),
              AllOf(HasSubstr("train.bin"), HasSubstr("image 2 "), HasSubstr("label 100"),
                    HasSubstr("0..99")));
}

TEST_F(Cifar, ACutArchiveIsNamed) {
  const std::string whole = gzipped(tar(cifar10_files("")));
  for (const size_t kept : {whole.size() - 20, whole.size() / 2, size_t{5}}) {
    const auto archive = write("cut.tar.gz", whole.substr(0, kept));
    const core::Error error = error_of("cifar10", archive, Split::train);
    EXPECT_EQ(error.kind(), core::ErrorKind::failure) << kept;
    EXPECT_THAT(error.what(), HasSubstr("cut.tar.gz")) << kept;
  }
}

TEST_F(Cifar, AFileThatIsNoArchiveIsNamed) {
  const auto archive = write("notes.txt", "not an archive at all");
  EXPECT_THAT(error_of("cifar10", archive, Split::train).what(), HasSubstr("notes.txt"));
}

TEST_F(Cifar, AnArchiveWithoutAFileIsNamedWithTheFile) {
  auto files = cifar10_files("cifar-10-batches-bin/");
  files.erase(files.begin());
  const auto archive = write("part.tar.gz", gzipped(tar(files)));
  EXPECT_THAT(error_of("cifar10", archive, Split::train).what(),
              AllOf(HasSubstr("part.tar.gz"), HasSubstr("data_batch_1.bin")));
}

}  // namespace
}  // namespace lowbit::data
