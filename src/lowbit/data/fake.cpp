#include "lowbit/data/fake.h"

#include <algorithm>
#include <cstring>

#include "lowbit/core/error.h"
#include "lowbit/data/labels.h"
#include "lowbit/kernels/math/random.h"
#include "lowbit/kernels/parallel.h"

namespace lowbit::data {
namespace {

constexpr int64_t kSamples = 100'000;
constexpr int64_t kPoolBytes = 256 << 20;

void fill_with_random_bytes(torch::Tensor& bytes, uint64_t seed) {
  constexpr int64_t kBlock = sizeof(kernels::Random128);
  auto* first = bytes.data_ptr<uint8_t>();
  const int64_t size = bytes.numel();
  kernels::parallel_for((size + kBlock - 1) / kBlock, 1 << 14, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const auto bits = kernels::random_bits(seed, kernels::Purpose::fake_pixels, 0, block);
      std::memcpy(first + block * kBlock, bits.word, std::min(kBlock, size - block * kBlock));
    }
  });
}

}  // namespace

void require_fake(const config::DataOptions& options, Split) {
  if (options.input_size < 1 || options.num_classes < 1) {
    throw core::usage_error(
        "data set fake needs --input_size and --num_classes of at least 1, not {} and {}",
        options.input_size, options.num_classes);
  }
}

ImageSet load_fake(const config::DataOptions& options, Split split) {
  require_fake(options, split);
  const int64_t side = options.input_size;
  const int64_t images = std::clamp<int64_t>(kPoolBytes / (side * side * 3), 1, kSamples);
  ImageSet set;
  set.pixels = torch::empty({images, side, side, 3}, torch::kUInt8);
  fill_with_random_bytes(set.pixels, split == Split::train ? 0 : 1);
  set.labels = torch::arange(kSamples).remainder(options.num_classes);
  set.class_names = numbered_classes(options.num_classes);
  return set;
}

}  // namespace lowbit::data
