// Samples of photographs: images/s of one core, in CPU time, so that what else runs on the machine
// matters little. bench/peer_pillow.py is its peer.
//
//   decode FOLDER [SIDE]     every JPEG in FOLDER, as it is used in training
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/data/sample.h"

namespace {

namespace data = lowbit::data;
namespace fs = std::filesystem;

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

std::vector<std::string> read_all(const fs::path& folder) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder)) paths.push_back(entry.path());
  std::ranges::sort(paths);
  std::vector<std::string> files;
  for (const fs::path& path : paths) files.push_back(lowbit::core::read_file(path));
  return files;
}

// The best of some passes, each over several epochs of the files.
void measure(const char* name, const std::vector<std::string>& files,
             const data::SampleRecipe& recipe, data::Rest rest) {
  constexpr int kPasses = 5, kEpochs = 8;
  data::SampleMaker maker(recipe);
  std::vector<uint8_t> pixels(static_cast<size_t>(recipe.side * recipe.side * 3));
  double best = 1e300;
  for (int pass = 0; pass < kPasses; ++pass) {
    const double start = cpu_seconds();
    for (int64_t epoch = 0; epoch < kEpochs; ++epoch)
      for (size_t i = 0; i < files.size(); ++i)
        maker.make(*data::open_picture(files[i]), epoch, static_cast<int64_t>(i), pixels, rest);
    best = std::min(best, cpu_seconds() - start);
  }
  fmt::print("lowbit, {:<36} {:7.0f} images/s\n", name,
             static_cast<double>(kEpochs * files.size()) / best);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: decode FOLDER [SIDE]\n");
    return 2;
  }
  try {
    const std::vector<std::string> files = read_all(argv[1]);
    const int64_t side = argc > 2 ? std::atoll(argv[2]) : 224;
    using enum data::Rest;
    const data::SampleRecipe training = {.side = side, .random = true, .fractions = true};
    data::SampleRecipe with_colors = training, exact = training;
    with_colors.jitter = true;
    exact.fractions = false;
    measure("random crop", files, training, skip);
    measure("random crop, the first time", files, training, check);
    measure("random crop, exact", files, exact, skip);
    measure("random crop and --aa", files, with_colors, skip);
    measure("validation", files, {.side = side}, skip);
    measure("validation, the first time", files, {.side = side}, check);
    measure("validation at fractions", files, {.side = side, .fractions = true}, skip);
  } catch (const lowbit::core::Error& error) {
    fmt::print(stderr, "decode: {}\n", error.what());
    return 1;
  }
  return 0;
}
