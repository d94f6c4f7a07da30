// made_model FOLDER: writes a small packed network, images and what the C interface says of them:
// model.lowbit, images (bytes), logits (float32), about ("HEIGHT WIDTH CHANNELS CLASSES").
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "lowbit/core/files.h"
#include "lowbit/runtime/packed_network.h"
#include "programs.h"

namespace packed = lowbit::packed;
namespace runtime = lowbit::runtime;
namespace fs = std::filesystem;

namespace {

constexpr int kImages = 5;

template <class T>
void write(const fs::path& path, const std::vector<T>& numbers) {
  lowbit::core::replace_file(
      path, {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(T)});
}

packed::ModelT made() {
  packed::ModelT model = std::move(runtime::random_program(11, 25).model);
  model.preprocessing = std::make_unique<packed::PreprocessingT>();
  model.preprocessing->resize = 40;
  model.checked = "3 images";
  const int classes = model.values.back()->channels;
  for (int i = 0; i < classes; ++i) model.classes.push_back(fmt::format("class {}", i));
  return model;
}

}  // namespace

int main(int, char** arguments) {
  const fs::path folder = arguments[1];
  const std::vector<uint8_t> file = runtime::seal(made());
  runtime::PackedNetwork network(file, "reference", /*threads=*/1);
  const lowbit_description& about = network.description();
  const auto bytes = static_cast<size_t>(about.height * about.width * about.channels * kImages);
  const std::vector<uint8_t> images = runtime::Draw(4).codes(bytes, 256);
  std::vector<float> logits(static_cast<size_t>(about.classes * kImages));
  network.run(images.data(), kImages, logits.data());
  write(folder / "model.lowbit", file);
  write(folder / "images", images);
  write(folder / "logits", logits);
  lowbit::core::replace_file(folder / "about", fmt::format("{} {} {} {}", about.height, about.width,
                                                           about.channels, about.classes));
}
