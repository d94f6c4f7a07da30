#include "lowbit/data/fashion.h"

#include "lowbit/core/error.h"
#include "lowbit/data/idx.h"
#include "lowbit/data/labels.h"
#include "lowbit/data/locate.h"

namespace lowbit::data {
namespace {

constexpr int64_t kFashionSide = 28, kBorder = 2;  // pixels
constexpr int64_t kMaxImages = 60'000;
// Of a file, unpacked: the images behind a header of 16 bytes.
constexpr size_t kMaxBytes = 16 + kMaxImages * kFashionSide * kFashionSide;

const std::vector<std::string>& classes() {
  static const std::vector<std::string> names = {"T-shirt/top", "Trouser",   "Pullover", "Dress",
                                                 "Coat",        "Sandal",    "Shirt",    "Sneaker",
                                                 "Bag",         "Ankle boot"};
  return names;
}

struct FashionFiles {
  std::string images, labels;
};

FashionFiles files_of(Split split) {
  const std::string prefix = split == Split::train ? "train" : "t10k";
  return {prefix + "-images-idx3-ubyte", prefix + "-labels-idx1-ubyte"};
}

std::filesystem::path locate_folder(const std::string& root, Split split) {
  static const Places places = {
      .usual = {"/usr/share/datasets/fashion-mnist", "data/fashion", "data/fashion-mnist", "data"},
      .folders = {"fashion-mnist", "FashionMNIST/raw"},
      .archives = {}};
  const auto [images, labels] = files_of(split);
  const std::vector<std::string> names = {images + ".gz", labels + ".gz", images, labels};
  return locate(places, root, names).path;
}

// uint8, as the file's header shapes it; `name` may be there with or without .gz.
torch::Tensor read_file(const std::filesystem::path& folder, const std::string& name, int rank) {
  const std::filesystem::path packed = folder / (name + ".gz"), plain = folder / name;
  if (std::filesystem::exists(packed)) return read_idx(packed, rank, kMaxBytes);
  if (std::filesystem::exists(plain)) return read_idx(plain, rank, kMaxBytes);
  throw core::failure("'{}' is missing", packed.string());
}

// uint8 [N, 28, 28]
torch::Tensor read_images(const std::filesystem::path& folder, const std::string& name) {
  torch::Tensor images = read_file(folder, name, 3);
  if (images.size(0) < 1 || images.size(1) != kFashionSide || images.size(2) != kFashionSide) {
    throw core::failure("'{}' holds {} images of {}x{} pixels, expected up to {} of {}x{}",
                        (folder / name).string(), images.size(0), images.size(1), images.size(2),
                        kMaxImages, kFashionSide, kFashionSide);
  }
  return images;
}

// int64 [count]
torch::Tensor read_labels(const std::filesystem::path& folder, const std::string& name,
                          int64_t count) {
  const torch::Tensor labels = read_file(folder, name, 1).to(torch::kInt64);
  const std::string file = (folder / name).string();
  if (labels.size(0) != count) {
    throw core::failure("'{}' holds {} labels, expected one for each of {} images", file,
                        labels.size(0), count);
  }
  check_labels(labels, static_cast<int64_t>(classes().size()), file);
  return labels;
}

}  // namespace

void require_fashion(const config::DataOptions& options, Split split) {
  locate_folder(options.root, split);
}

ImageSet load_fashion(const config::DataOptions& options, Split split) {
  const std::filesystem::path folder = locate_folder(options.root, split);
  const FashionFiles files = files_of(split);
  const torch::Tensor gray = read_images(folder, files.images);
  const torch::Tensor labels = read_labels(folder, files.labels, gray.size(0));
  const torch::Tensor pixels = torch::constant_pad_nd(gray, {kBorder, kBorder, kBorder, kBorder})
                                   .unsqueeze(3)
                                   .expand({-1, -1, -1, 3})
                                   .contiguous();
  return {pixels, labels, classes()};
}

}  // namespace lowbit::data
