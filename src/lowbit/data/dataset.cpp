#include "lowbit/data/dataset.h"

#include <algorithm>

#include "lowbit/core/error.h"
#include "lowbit/data/cifar.h"
#include "lowbit/data/fake.h"
#include "lowbit/data/fashion.h"
#include "lowbit/data/imagenet.h"

namespace lowbit::data {
namespace {

constexpr const char* kHowToGetImages =
    "--root FOLDER with FOLDER/train/CLASS/*.JPEG and FOLDER/val/CLASS/*.JPEG, as torchvision's "
    "ImageFolder reads it, or a file that lowbit tools pack-data made of that (ImageNet: "
    "https://www.image-net.org, after signing up)";

constexpr DatasetEntry kDatasets[] = {
    {.name = "cifar10",
     .load = load_cifar10,
     .require_files = require_cifar10,
     .obtain_files = obtain_cifar10,
     .augmentation = {.flip = true, .pad = 4},
     .how_to_get = "curl -LO https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz, then --root "
                   "cifar-10-binary.tar.gz; or --root cifar-10-batches-py, the version for Python"},
    {.name = "cifar100",
     .load = load_cifar100,
     .require_files = require_cifar100,
     .obtain_files = obtain_cifar100,
     .augmentation = {.flip = true, .pad = 4},
     .how_to_get = "curl -LO https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz, then --root "
                   "cifar-100-binary.tar.gz; or --root cifar-100-python, the version for Python"},
    {.name = "fashion",
     .load = load_fashion,
     .require_files = require_fashion,
     .augmentation = {.flip = true},
     .how_to_get =
         "apt-get install dataset-fashion-mnist, or the four files of "
         "https://github.com/zalandoresearch/fashion-mnist in a folder, then --root FOLDER"},
    {.name = "imagenet",
     .require_files = require_images,
     .augmentation = {.flip = true},
     .how_to_get = kHowToGetImages},
    // The same, decoded on the GPU if there is one.
    {.name = "dali",
     .require_files = require_images,
     .augmentation = {.flip = true},
     .how_to_get = kHowToGetImages},
    {.name = "fake",
     .load = load_fake,
     .require_files = require_fake,
     .augmentation = {},
     .how_to_get = "it needs no file"},
};

const DatasetEntry& entry_of(const config::DataOptions& options) {
  const auto found = std::ranges::find(kDatasets, options.dataset, &DatasetEntry::name);
  if (found != std::end(kDatasets)) return *found;
  std::vector<std::string> names;
  for (const DatasetEntry& entry : kDatasets) names.emplace_back(entry.name);
  throw core::usage_error("there is no data set '{}'", options.dataset)
      .suggest(core::nearest_name(options.dataset, names));
}

// Runs `read`; what fails in it is of this data set, and the user learns how to get that.
template <class Read>
auto explain(const DatasetEntry& entry, const Read& read) {
  try {
    return read();
  } catch (core::Error& error) {
    if (error.kind() == core::ErrorKind::failure) {
      error.detail(fmt::format("to get {}: {}", entry.name, entry.how_to_get));
    }
    throw;
  }
}

}  // namespace

std::span<const DatasetEntry> datasets() {
  return kDatasets;
}

bool is_streamed(const config::DataOptions& options) {
  return entry_of(options).load == nullptr;
}

ImageSet load(const config::DataOptions& options, Split split) {
  const DatasetEntry& entry = entry_of(options);
  if (!entry.load) throw core::usage_error("data set '{}' is not held in memory", options.dataset);
  return explain(entry, [&] { return entry.load(options, split); });
}

std::optional<int> classes_in_files(const config::DataOptions& options) {
  if (!is_streamed(options)) return {};
  const Split split = has_images(options, Split::train) ? Split::train : Split::validation;
  return explain(entry_of(options),
                 [&] { return static_cast<int>(image_classes(options, split).size()); });
}

void require_files(const config::DataOptions& options, Split split) {
  const DatasetEntry& entry = entry_of(options);
  explain(entry, [&] { entry.require_files(options, split); });
}

void obtain_files(const config::DataOptions& options, Split split) {
  const DatasetEntry& entry = entry_of(options);
  explain(entry,
          [&] { (entry.obtain_files ? entry.obtain_files : entry.require_files)(options, split); });
}

kernels::Augmentation augmentation(const config::DataOptions& options) {
  return entry_of(options).augmentation;
}

}  // namespace lowbit::data
