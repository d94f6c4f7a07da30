// The networks of the parity cases, of every family, method and keyword, and images for them.
#pragma once

#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <string>
#include <vector>

#include "lowbit/parity/parity.h"

namespace lowbit::testing_support {

inline constexpr std::array<double, 3> kMean = {0.5, 0.45, 0.4}, kStd = {0.25, 0.2, 0.3};

// The cases in a folder.
inline std::vector<std::filesystem::path> recorded(
    const std::filesystem::path& folder = std::filesystem::path(LOWBIT_SOURCE_DIR) / "tests" /
                                          "golden") {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().filename() != "tolerances.json") files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

// For the names of tests.
inline std::string file_name(const testing::TestParamInfo<std::filesystem::path>& file) {
  std::string name = file.param.stem().string();
  std::ranges::replace_if(
      name, [](unsigned char c) { return !std::isalnum(c); }, '_');
  return name;
}

// With the weights of the case and statistics of a pass, in evaluation.
inline parity::ParityNetwork evaluated_network(const std::filesystem::path& file) {
  parity::ParityNetwork recorded = parity::parity_network(file, {.type = torch::kFloat32});
  {
    const torch::NoGradGuard no_grad;
    recorded.network->forward(recorded.images);
  }
  recorded.network->eval();
  return recorded;
}

// Noise, [count, side, side, 3] uint8.
inline torch::Tensor noise_images(int64_t count, int64_t side) {
  torch::manual_seed(7);
  return torch::randint(0, 256, {count, side, side, 3}, torch::kUInt8);
}

// As networks see them, with kMean and kStd.
inline torch::Tensor normalized(const torch::Tensor& pixels) {
  const auto row = [](const std::array<double, 3>& numbers) {
    return torch::tensor(std::vector<double>(numbers.begin(), numbers.end()), torch::kFloat32)
        .view({1, 3, 1, 1});
  };
  return ((pixels.permute({0, 3, 1, 2}).to(torch::kFloat32) / 255 - row(kMean)) / row(kStd))
      .contiguous();
}

}  // namespace lowbit::testing_support
