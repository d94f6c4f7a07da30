// The photographs among the fixtures.
#pragma once

#include <filesystem>

namespace lowbit::data {

inline std::filesystem::path photograph_folder() {
  return std::filesystem::path(LOWBIT_SOURCE_DIR) / "tests/data/fixtures/photographs";
}

}  // namespace lowbit::data
