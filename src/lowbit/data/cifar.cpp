#include "lowbit/data/cifar.h"

#include <algorithm>
#include <map>
#include <sstream>

#include "lowbit/core/error.h"
#include "lowbit/core/log.h"
#include "lowbit/data/archive.h"
#include "lowbit/data/download.h"
#include "lowbit/data/labels.h"
#include "lowbit/data/locate.h"

namespace lowbit::data {
namespace {

constexpr int64_t kCifarSide = 32;  // pixels
constexpr int64_t kImageBytes =
    3 * kCifarSide * kCifarSide;  // the three colors one after the other
constexpr const char* kPublisher = "https://www.cs.toronto.edu/~kriz";

struct CifarFiles {
  std::vector<std::string> names;
  int64_t records;  // in each, as published
};

struct Cifar {
  Places places;
  int64_t archive_bytes;
  std::string archive_sha256;
  int64_t class_count;
  int64_t label_bytes;  // of a record; the last one is the class
  CifarFiles train, validation;
  std::string class_names_file;

  const CifarFiles& files(Split split) const { return split == Split::train ? train : validation; }
  int64_t record_bytes() const { return label_bytes + kImageBytes; }
};

const Cifar& cifar10() {
  static const Cifar set = {
      .places = {.usual = {"data", "data/cifar10", "/usr/share/datasets"},
                 .folders = {"cifar-10-batches-bin"},
                 .archive = "cifar-10-binary.tar.gz"},
      .archive_bytes = 170'052'171,
      .archive_sha256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
      .class_count = 10,
      .label_bytes = 1,
      .train = {.names = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                          "data_batch_4.bin", "data_batch_5.bin"},
                .records = 10'000},
      .validation = {.names = {"test_batch.bin"}, .records = 10'000},
      .class_names_file = "batches.meta.txt"};
  return set;
}

const Cifar& cifar100() {
  static const Cifar set = {
      .places = {.usual = {"data", "data/cifar100", "/usr/share/datasets"},
                 .folders = {"cifar-100-binary"},
                 .archive = "cifar-100-binary.tar.gz"},
      .archive_bytes = 168'513'733,
      .archive_sha256 = "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
      .class_count = 100,
      .label_bytes = 2,
      .train = {.names = {"train.bin"}, .records = 50'000},
      .validation = {.names = {"test.bin"}, .records = 10'000},
      .class_names_file = "fine_label_names.txt"};
  return set;
}

using Contents = std::map<std::string, std::string>;  // of files, by name

// Those of `names` that are there.
Contents read_contents(const Location& location, const std::vector<std::string>& names,
                       size_t limit) {
  if (location.is_archive) return read_members(location.path, names, limit);
  Contents contents;
  for (const std::string& name : names) {
    const std::filesystem::path path = location.path / name;
    if (std::filesystem::exists(path)) contents[name] = read_unpacked(path, limit);
  }
  return contents;
}

// The records of one file as bytes [records, record_bytes]: a view of `contents`.
torch::Tensor records_of(const Cifar& cifar, const CifarFiles& files, const std::string& name,
                         const Location& location, Contents& contents) {
  const int64_t record = cifar.record_bytes(), published = files.records * record;
  const auto found = contents.find(name);
  if (found == contents.end()) {
    throw core::failure("'{}' is missing: a file of {} bytes", location.name_of(name), published);
  }
  std::string& bytes = found->second;
  const auto size = static_cast<int64_t>(bytes.size());
  if (size == 0 || size % record != 0) {
    throw core::failure("'{}' has {} bytes, expected {} ({} records of {})", location.name_of(name),
                        size, published, files.records, record);
  }
  if (size != published) {
    core::log().warn("'{}' has {} images; as published it has {}", location.name_of(name),
                     size / record, files.records);
  }
  return torch::from_blob(bytes.data(), {size / record, record}, torch::kUInt8);
}

// A line each, if there are as many as classes.
std::vector<std::string> class_names(const Cifar& cifar, const Contents& contents) {
  std::vector<std::string> names;
  if (const auto found = contents.find(cifar.class_names_file); found != contents.end()) {
    std::istringstream lines(found->second);
    for (std::string name; lines >> name;) names.push_back(name);
  }
  if (static_cast<int64_t>(names.size()) != cifar.class_count) {
    return numbered_classes(cifar.class_count);
  }
  return names;
}

ImageSet load_cifar(const Cifar& cifar, const std::string& root, Split split) {
  const CifarFiles& files = cifar.files(split);
  const Location location = locate(cifar.places, root, files.names);
  std::vector<std::string> wanted = files.names;
  wanted.push_back(cifar.class_names_file);
  Contents contents = read_contents(location, wanted, files.records * cifar.record_bytes());

  std::vector<torch::Tensor> pixels, labels;
  for (const std::string& name : files.names) {
    const torch::Tensor records = records_of(cifar, files, name, location, contents);
    labels.push_back(records.select(1, cifar.label_bytes - 1).to(torch::kInt64));
    check_labels(labels.back(), cifar.class_count, location.name_of(name));
    pixels.push_back(records.slice(1, cifar.label_bytes)
                         .unflatten(1, {3, kCifarSide, kCifarSide})
                         .permute({0, 2, 3, 1})
                         .contiguous());
    contents.erase(name);
  }
  return {torch::cat(pixels), torch::cat(labels), class_names(cifar, contents)};
}

void require_cifar(const Cifar& cifar, const config::DataOptions& options, Split split) {
  locate(cifar.places, options.root, cifar.files(split).names);
}

void obtain_cifar(const Cifar& cifar, const config::DataOptions& options, Split split) {
  if (options.offline) return require_cifar(cifar, options, split);
  if (find_location(cifar.places, options.root, cifar.files(split).names)) return;
  const std::string& archive = cifar.places.archive;
  const std::filesystem::path root =
      options.root.empty() ? cifar.places.usual.front() : options.root;
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
