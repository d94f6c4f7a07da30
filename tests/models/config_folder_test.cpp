// The networks of the project's config files.
#include <gtest/gtest.h>

#include <filesystem>

#include "lowbit/config/parse.h"
#include "lowbit/models/factory.h"

namespace lowbit::models {
namespace {

TEST(ConfigFolder, HoldsFilesWhoseNetworksCanBeBuilt) {
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(LOWBIT_SOURCE_DIR) / "config")) {
    if (entry.path().extension() == ".md") continue;
    const config::Configuration configuration = config::parse_network(entry.path(), {});
    const config::ModelOptions& options = configuration.options.model;
    const auto network = make_network(options);
    EXPECT_EQ(network->quantizers().empty(), !options.fm.enable) << entry.path();
    torch::NoGradGuard no_grad;
    // A small picture does: the last pooling takes any size.
    EXPECT_EQ(network->forward(torch::zeros({2, 3, 32, 32})).size(1), options.num_classes)
        << entry.path();
  }
}

}  // namespace
}  // namespace lowbit::models
