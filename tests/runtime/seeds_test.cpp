// The seeds of tests/fuzz/fuzz_program.cpp. LOWBIT_WRITE_SEEDS=1 writes them anew.
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
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

Program::File read_seed(const fs::path& path) {
  const std::string text = core::read_file(path);
  return Program::File({text.begin(), text.end()});
}

TEST(Seeds, AreProgramsThatCanBeRunAndHaveAllOperations) {
  if (std::getenv("LOWBIT_WRITE_SEEDS")) write_seeds();
  std::set<packed::Operation> operations;
  for (const fs::directory_entry& entry : fs::directory_iterator(kFolder)) {
    const Program::File file = read_seed(entry.path());
    const Network network(open_sealed(file.span()));
    for (int step = 0; step < network.steps(); ++step)
      operations.insert(network.step(step).operation_type());
    const std::vector<uint8_t> image(network.types().front().bytes(), 1);
    EXPECT_FALSE(
        values_of(network, Plan(network, instruction_set("auto")), 1, image).back().empty());
  }
  EXPECT_EQ(operations.size(), 12u);
}

// Of all bits of the logits.
uint64_t number_of(const std::vector<uint8_t>& logits) {
  uint64_t number = 1;
  for (size_t i = 0; i < logits.size(); i += sizeof(float)) {
    float logit;
    std::memcpy(&logit, logits.data() + i, sizeof logit);
    // The numbers below were taken when NaNs still had many forms.
    number = 31 * number + (std::isnan(logit) ? 1 : std::bit_cast<uint32_t>(logit));
  }
  return number;
}

// What an x86-64 gave for each seed.
constexpr std::array<uint64_t, kSeeds> kLogits = {
    17203185503948401419u, 1101745627028u,       1103862133882u, 14990669093699701315u,
    3162963613u,           5785914867731831790u, 3188174049u,    349325891529566451u,
    31237729201438263u,    1043967660089u,       34355241234u,   2377646398471991589u};

TEST(Seeds, GiveTheSameLogitsOnEveryMachine) {
  for (uint32_t seed = 0; seed < kSeeds; ++seed) {
    const Program::File file = read_seed(kFolder / std::to_string(seed));
    const Network network(open_sealed(file.span()));
    const std::vector<uint8_t> image = Draw(6).codes(network.types().front().bytes(), 256);
    for (const char* kernels : {"reference", "auto"}) {
      const uint64_t number =
          number_of(values_of(network, Plan(network, instruction_set(kernels)), 2, image).back());
      EXPECT_EQ(number, kLogits[seed]) << "seed " << seed << ", " << kernels;
    }
  }
}

}  // namespace
}  // namespace lowbit::runtime
