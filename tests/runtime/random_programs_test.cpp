// Random programs: every instruction set and number of threads gives the bits of the plain loops.
//
// tools/soak.sh runs this for hours: LOWBIT_SOAK_SEED is the first seed, LOWBIT_SOAK_SECONDS the
// time, and a program that differs, is refused or ends the process stays in LOWBIT_SOAK_FOLDER.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "programs.h"

namespace lowbit::runtime {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kPrograms = 250 / kPart;

struct Soak {
  uint32_t first = 0;
  double seconds = 0;  // 0: kPrograms of them
  fs::path folder = testing::TempDir();
};

Soak soak_of_environment() {
  Soak soak;
  if (const char* seed = std::getenv("LOWBIT_SOAK_SEED"))
    soak.first = static_cast<uint32_t>(std::strtoul(seed, nullptr, 10));
  if (const char* seconds = std::getenv("LOWBIT_SOAK_SECONDS"))
    soak.seconds = std::strtod(seconds, nullptr);
  if (const char* folder = std::getenv("LOWBIT_SOAK_FOLDER")) soak.folder = folder;
  return soak;
}

Program program_of(uint32_t seed) {
  return random_program(seed, 5 + static_cast<int>(seed % 31), /*extremes=*/seed % 4 == 3);
}

std::string fault_of(const Program& program, uint32_t seed) {
  try {
    return difference_of(program, seed, {1, 2 + static_cast<int>(seed % 7)});
  } catch (const core::Error& error) {
    return error.what();
  }
}

TEST(RandomPrograms, GiveTheBitsOfThePlainLoops) {
  const Soak soak = soak_of_environment();
  const auto start = std::chrono::steady_clock::now();
  const auto goes_on = [&](uint32_t count) {
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    return soak.seconds > 0 ? passed.count() < soak.seconds : count < kPrograms;
  };
  std::set<packed::Operation> operations;
  uint32_t count = 0;
  for (; goes_on(count); ++count) {
    const uint32_t seed = soak.first + count;
    const Program program = program_of(seed);
    for (const auto& step : program.model.steps) operations.insert(step->operation.type);
    // Written first: it may end the process.
    const fs::path file = soak.folder / ("program-" + std::to_string(seed) + ".lowbit");
    const std::vector<uint8_t> bytes = seal(program.model);
    core::replace_file(file, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    const std::string fault = fault_of(program, seed);
    ASSERT_EQ(fault, "") << "seed " << seed << ", in " << file;
    fs::remove(file);
  }
  std::printf("%u programs from seed %u on\n", count, soak.first);
  if (soak.seconds == 0 && kPart == 1) {
    EXPECT_EQ(operations.size(), 12u);
  }
}

}  // namespace
}  // namespace lowbit::runtime
