// The seeds of tests/fuzz/fuzz_program.cpp. LOWBIT_WRITE_SEEDS=1 writes them anew.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "lowbit/core/files.h"
#include "programs.h"

namespace lowbit::runtime {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = fs::path(LOWBIT_SOURCE_DIR) / "tests/fuzz/corpus/program";
constexpr uint32_t kSeeds = 12;

void write_seeds() {
  fs::create_directories(kFolder);
  for (uint32_t seed = 0; seed < kSeeds; ++seed) {
    const std::vector<uint8_t> bytes = seal(random_program(100 + seed, 8).model);
    core::replace_file(kFolder / std::to_string(seed),
                       {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
}

TEST(Seeds, AreProgramsThatCanBeRunAndHaveAllOperations) {
  if (std::getenv("LOWBIT_WRITE_SEEDS")) write_seeds();
  std::set<packed::Operation> operations;
  for (const fs::directory_entry& entry : fs::directory_iterator(kFolder)) {
    const std::string text = core::read_file(entry.path());
    const Program::File file({text.begin(), text.end()});
    const Network network(open_sealed(file.span()));
    for (int step = 0; step < network.steps(); ++step)
      operations.insert(network.step(step).operation_type());
    const std::vector<uint8_t> image(network.types().front().bytes(), 1);
    EXPECT_FALSE(values_of(network, Plan(network, best_isa()), 1, image).back().empty());
  }
  EXPECT_EQ(operations.size(), 12u);
}

}  // namespace
}  // namespace lowbit::runtime
