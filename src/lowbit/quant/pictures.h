// The pictures of docs/quantizers.md.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "lowbit/quant/plot.h"

namespace lowbit::quant {

struct Picture {
  std::string name;  // of its file, without .svg
  std::vector<Panel> panels;
};

// One for every method and for each keyword that changes the shape of the curve.
std::vector<Picture> pictures();

// Draws all of them into NAME.svg in the folder, which is made if need be. The paths written.
std::vector<std::filesystem::path> write_pictures(const std::filesystem::path& folder);

}  // namespace lowbit::quant
