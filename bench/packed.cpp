// Samples of packed pictures as a run reads them, by the number of threads: images/s of wall-clock
// time. Of a file of `lowbit tools pack-data`, in the page cache where it fits there.
//
//   packed FILE [SIDE]     training crops in random order, then validation's of the same pictures
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "lowbit/core/error.h"
#include "lowbit/core/threads.h"
#include "lowbit/data/packed_images.h"
#include "lowbit/data/sample_stream.h"
#include "lowbit/data/shuffle.h"

namespace {

namespace data = lowbit::data;

constexpr int64_t kBatch = 256;

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Over as many epochs as take about `least` seconds, after one that warms up.
double images_per_second(data::SampleStream& stream, double least) {
  std::vector<int64_t> order(static_cast<size_t>(stream.images().size()));
  double start = 0;
  int64_t images = 0;
  for (int64_t epoch = 0; epoch < 2 || seconds() - start < least; ++epoch) {
    if (epoch == 1) start = seconds();
    stream.stop();
    data::shuffle(order, 2, epoch);
    stream.start_epoch(epoch, order);
    for (int64_t first = 0; first < stream.images().size(); first += kBatch)
      stream.batch(first, std::min(kBatch, stream.images().size() - first));
    if (epoch > 0) images += stream.images().size();
  }
  return static_cast<double>(images) / (seconds() - start);
}

void measure(const char* file, const data::SampleRecipe& recipe, int threads) {
  data::SampleStream stream(std::make_unique<data::PackedImages>(file, data::Split::train),
                            {.recipe = recipe, .threads = threads});
  fmt::print("{:<12} {:3} threads {:9.0f} images/s\n", recipe.random ? "random crop" : "validation",
             threads, images_per_second(stream, 3));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: packed FILE [SIDE]\n");
    return 2;
  }
  try {
    const int64_t side = argc > 2 ? std::atoll(argv[2]) : 224;
    const int cores = lowbit::core::usable_cores();
    for (const bool random : {true, false}) {
      for (int threads = 1; threads < cores; threads *= 2)
        measure(argv[1], {.side = side, .random = random}, threads);
      measure(argv[1], {.side = side, .random = random}, cores);
    }
  } catch (const lowbit::core::Error& error) {
    fmt::print(stderr, "packed: {}\n", error.what());
    return 1;
  }
  return 0;
}
