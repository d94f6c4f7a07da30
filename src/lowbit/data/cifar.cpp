#include "lowbit/data/cifar.h"

#include <algorithm>
#include <map>
#include <sstream>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/core/log.h"
#include "lowbit/data/archive.h"
#include "lowbit/data/cifar_pickle.h"
#include "lowbit/data/download.h"
#include "lowbit/data/labels.h"
#include "lowbit/data/locate.h"

namespace lowbit::data {
namespace {

constexpr int64_t kCifarSide = 32;  // pixels
constexpr int64_t kImageBytes =
    3 * kCifarSide * kCifarSide;  // the three colors one after the other
constexpr const char* kPublisher = "https://www.cs.toronto.edu/~kriz";

// Which files hold a split, in one version.
struct CifarVersion {
  std::vector<std::string> train, validation;
  std::string class_names;

  const std::vector<std::string>& files(Split split) const {
    return split == Split::train ? train : validation;
  }
};

struct Cifar {
  Places places;  // the archive that is downloaded is the first
  int64_t archive_bytes;
  std::string archive_sha256;
  int64_t class_count;
  int64_t label_bytes;                     // of a record; the last one is the class
  int64_t train_records;                   // in each file of the training split, as published
  std::string label_key, class_names_key;  // in pickles
  CifarVersion binary, python;

  int64_t record_bytes() const { return label_bytes + kImageBytes; }
  int64_t records(Split split) const { return split == Split::train ? train_records : 10'000; }
  std::vector<std::string> all_files(Split split) const {
    std::vector<std::string> files = binary.files(split);
    files.insert(files.end(), python.files(split).begin(), python.files(split).end());
    return files;
  }
};

const Cifar& cifar10() {
  static const Cifar set = {
      .places = {.usual = {"data", "data/cifar10", "/usr/share/datasets"},
                 .folders = {"cifar-10-batches-bin", "cifar-10-batches-py"},
                 .archives = {"cifar-10-binary.tar.gz", "cifar-10-python.tar.gz"}},
      .archive_bytes = 170'052'171,
      .archive_sha256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
      .class_count = 10,
      .label_bytes = 1,
      .train_records = 10'000,
      .label_key = "labels",
      .class_names_key = "label_names",
      .binary = {.train = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                           "data_batch_4.bin", "data_batch_5.bin"},
                 .validation = {"test_batch.bin"},
                 .class_names = "batches.meta.txt"},
      .python = {
          .train = {"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"},
          .validation = {"test_batch"},
          .class_names = "batches.meta"}};
  return set;
}

const Cifar& cifar100() {
  static const Cifar set = {
      .places = {.usual = {"data", "data/cifar100", "/usr/share/datasets"},
                 .folders = {"cifar-100-binary", "cifar-100-python"},
                 .archives = {"cifar-100-binary.tar.gz", "cifar-100-python.tar.gz"}},
      .archive_bytes = 168'513'733,
      .archive_sha256 = "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
      .class_count = 100,
      .label_bytes = 2,
      .train_records = 50'000,
      .label_key = "fine_labels",
      .class_names_key = "fine_label_names",
      .binary = {.train = {"train.bin"},
                 .validation = {"test.bin"},
                 .class_names = "fine_label_names.txt"},
      .python = {.train = {"train"}, .validation = {"test"}, .class_names = "meta"}};
  return set;
}

// Of a file of either version.
struct CifarBatch {
  torch::Tensor pixels;  // uint8 [N, 3072]
  torch::Tensor labels;  // int64 [N]
};

using Contents = std::map<std::string, std::string>;  // of files, by name

// Those of `names` that are there.
Contents read_contents(const Location& location, const std::vector<std::string>& names,
                       size_t limit) {
  if (location.is_archive) return read_members(location.path, names, limit);
  Contents contents;
  for (const std::string& name : names) {
    const std::filesystem::path path = location.path / name;
    if (core::is_file(path)) contents[name] = read_unpacked(path, limit);
  }
  return contents;
}

// A split as it was found.
struct CifarSplit {
  const Cifar& cifar;
  const Location& location;
  int64_t published;  // records of a file

  CifarBatch batch(const std::string& name, const std::string& bytes, bool binary) const {
    CifarBatch batch = binary ? records(name, bytes) : pickle(name, bytes);
    check_labels(batch.labels, cifar.class_count, location.name_of(name));
    if (batch.labels.size(0) != published) {
      core::log().warn("'{}' has {} images; as published it has {}", location.name_of(name),
                       batch.labels.size(0), published);
    }
    return batch;
  }

  CifarBatch records(const std::string& name, const std::string& bytes) const {
    const int64_t record = cifar.record_bytes(), expected = published * record;
    const auto size = static_cast<int64_t>(bytes.size());
    if (size > expected) {
      throw core::failure("'{}' is longer than the expected {} bytes", location.name_of(name),
                          expected);
    }
    if (size == 0 || size % record != 0) {
      throw core::failure("'{}' has {} bytes, expected {} ({} records of {})",
                          location.name_of(name), size, expected, published, record);
    }
    const torch::Tensor all =
        torch::from_blob(const_cast<char*>(bytes.data()), {size / record, record}, torch::kUInt8);
    return {all.slice(1, cifar.label_bytes).clone(),
            all.select(1, cifar.label_bytes - 1).to(torch::kInt64)};
  }

  CifarBatch pickle(const std::string& name, const std::string& bytes) const {
    try {
      CifarPickle read = read_cifar_batch(bytes, cifar.label_key);
      const auto count = static_cast<int64_t>(read.labels.size());
      return {torch::from_blob(read.pixels.data(), {count, kImageBytes}, torch::kUInt8).clone(),
              torch::tensor(read.labels, torch::kInt64)};
    } catch (core::Error& error) {
      throw error.at(location.name_of(name));
    }
  }
};

// As many as classes; their numbers where the files name fewer or more.
std::vector<std::string> class_names(const Cifar& cifar, const Contents& contents) {
  std::vector<std::string> names;
  if (const auto found = contents.find(cifar.binary.class_names); found != contents.end()) {
    std::istringstream lines(found->second);
    for (std::string name; lines >> name;) names.push_back(name);
  } else if (const auto meta = contents.find(cifar.python.class_names); meta != contents.end()) {
    names = read_cifar_names(meta->second, cifar.class_names_key);
  }
  if (static_cast<int64_t>(names.size()) != cifar.class_count) {
    return numbered_classes(cifar.class_count);
  }
  return names;
}

// The folder of a file of the set that the user names, which need not be of the split that is
// wanted.
std::string folder_or_archive(const Cifar& cifar, const std::string& root) {
  const std::filesystem::path path = root;
  for (const Split split : kSplits)
    for (const std::string& file : cifar.all_files(split))
      if (path.filename() == file && core::is_file(path))
        return path.has_parent_path() ? path.parent_path().string() : ".";
  return root;
}

ImageSet load_cifar(const Cifar& cifar, const std::string& root, Split split) {
  std::vector<std::string> wanted = cifar.all_files(split);
  const Location location = locate(cifar.places, folder_or_archive(cifar, root), wanted);
  wanted.insert(wanted.end(), {cifar.binary.class_names, cifar.python.class_names});
  // A pickle holds the name of each image, too, and of Python 3 in protocol 2 bytes as characters,
  // half of which take two bytes.
  constexpr int64_t kMostNameBytes = 128, kMostOtherBytes = 1 << 16;
  const int64_t limit =
      cifar.records(split) * (2 * cifar.record_bytes() + kMostNameBytes) + kMostOtherBytes;
  Contents contents = read_contents(location, wanted, static_cast<size_t>(limit));
  const auto is_there = [&](const std::string& name) { return contents.contains(name); };
  const bool binary = std::ranges::any_of(cifar.binary.files(split), is_there) ||
                      std::ranges::none_of(cifar.python.files(split), is_there);

  const CifarSplit found{cifar, location, cifar.records(split)};
  std::vector<torch::Tensor> pixels, labels;
  for (const std::string& name : (binary ? cifar.binary : cifar.python).files(split)) {
    const auto file = contents.find(name);
    if (file == contents.end()) {
      throw core::failure("'{}' is missing: a file of {} images", location.name_of(name),
                          found.published);
    }
    CifarBatch batch = found.batch(name, file->second, binary);
    contents.erase(file);
    labels.push_back(batch.labels);
    pixels.push_back(
        batch.pixels.unflatten(1, {3, kCifarSide, kCifarSide}).permute({0, 2, 3, 1}).contiguous());
  }
  return {torch::cat(pixels), torch::cat(labels), class_names(cifar, contents)};
}

void require_cifar(const Cifar& cifar, const config::DataOptions& options, Split split) {
  locate(cifar.places, folder_or_archive(cifar, options.root), cifar.all_files(split));
}

void obtain_cifar(const Cifar& cifar, const config::DataOptions& options, Split split) {
  if (options.offline) return require_cifar(cifar, options, split);
  const std::string given = folder_or_archive(cifar, options.root);
  if (find_location(cifar.places, given, cifar.all_files(split))) return;
  const std::string& archive = cifar.places.archives.front();
  const std::filesystem::path root = given.empty() ? cifar.places.usual.front() : given;
  download({.addresses = addresses_of(archive, options.mirrors, kPublisher),
            .size = cifar.archive_bytes,
            .sha256 = cifar.archive_sha256},
           root.filename() == archive ? root : root / archive);
}

}  // namespace

ImageSet load_cifar10(const config::DataOptions& options, Split split) {
  return load_cifar(cifar10(), options.root, split);
}

ImageSet load_cifar100(const config::DataOptions& options, Split split) {
  return load_cifar(cifar100(), options.root, split);
}

void obtain_cifar10(const config::DataOptions& options, Split split) {
  obtain_cifar(cifar10(), options, split);
}

void obtain_cifar100(const config::DataOptions& options, Split split) {
  obtain_cifar(cifar100(), options, split);
}

void require_cifar10(const config::DataOptions& options, Split split) {
  require_cifar(cifar10(), options, split);
}

void require_cifar100(const config::DataOptions& options, Split split) {
  require_cifar(cifar100(), options, split);
}

}  // namespace lowbit::data
