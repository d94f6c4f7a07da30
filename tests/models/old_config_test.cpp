// The networks of config files as the older toolbox's users have them.
#include <gtest/gtest.h>

#include <filesystem>

#include "lowbit/config/parse.h"
#include "lowbit/models/factory.h"

namespace lowbit::models {
namespace {

TEST(OldConfigs, HaveTheirNetworks) {
  const std::filesystem::path folder =
      std::filesystem::path(LOWBIT_SOURCE_DIR) / "tests/config/fixtures/old";
  const std::vector<std::string> words = {"--dry-run"};
  size_t built = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    EXPECT_NO_THROW({
      make_network(config::parse_run(entry.path(), words).options.model);
      ++built;
    }) << entry.path();
  }
  EXPECT_GE(built, 40u);
}

}  // namespace
}  // namespace lowbit::models
