// The convolutions of a packed network on one core, layer by layer: multiply-accumulates per second
// against the ceiling of the instructions that the kernel lives on, which a loop of nothing but
// these reaches in the same run. And how evenly threads would share each layer: its tiles are timed
// one by one.
//
//   roofline MODEL.lowbit [THREADS]     default: 2
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <string_view>
#include <vector>

#include "lowbit/core/error.h"
#include "lowbit/core/mapped_file.h"
#include "lowbit/runtime/container.h"
#include "lowbit/runtime/kernels/instruction_set.h"
#include "lowbit/runtime/network.h"
#include "lowbit/runtime/plan.h"
#include "lowbit/runtime/session.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

using namespace lowbit::runtime;

constexpr int kSteps = 240'000;

#if defined(__x86_64__)

// GCC takes the undefined vectors in its own intrinsics for uninitialized ones (its bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

// The compiler must take it for another one than before.
#define ANOTHER(vector) asm volatile("" : "+v"(vector))

// kSteps times `sum = step(sum, input, factor)` in registers, with as many sums as hide how long a
// step takes, and an input for two factors as in the kernels.
#define LOOP(name, isa, Vector, zero, count, step)                   \
  __attribute__((target(isa))) void name() {                         \
    Vector sums[count], input = zero, factors[2] = {zero, zero};     \
    ANOTHER(factors[0]);                                             \
    ANOTHER(factors[1]);                                             \
    _Pragma("GCC unroll 12") for (Vector & sum : sums) sum = zero;   \
    for (int round = 0; round < kSteps / count; ++round) {           \
      _Pragma("GCC unroll 12") for (int i = 0; i < count; ++i) {     \
        if (i % 2 == 0) ANOTHER(input);                              \
        const Vector sum = sums[i], factor = factors[i % 2];         \
        sums[i] = step;                                              \
      }                                                              \
    }                                                                \
    _Pragma("GCC unroll 12") for (Vector & sum : sums) ANOTHER(sum); \
  }

LOOP(look_up_avx2, "avx2", __m256i, _mm256_setzero_si256(), 8,
     _mm256_add_epi8(sum, _mm256_shuffle_epi8(input, factor)))
LOOP(count_avx2, "avx2", __m256i, _mm256_setzero_si256(), 8,
     _mm256_add_epi8(
         sum, _mm256_add_epi8(
                  _mm256_shuffle_epi8(input, _mm256_and_si256(_mm256_xor_si256(input, factor),
                                                              factors[0])),
                  _mm256_shuffle_epi8(
                      input, _mm256_and_si256(_mm256_srli_epi16(_mm256_xor_si256(input, factor), 4),
                                              factors[0])))))
LOOP(multiply_bytes_avx2, "avx2", __m256i, _mm256_setzero_si256(), 8,
     _mm256_add_epi16(sum, _mm256_maddubs_epi16(input, factor)))
LOOP(multiply_words_avx2, "avx2", __m256i, _mm256_setzero_si256(), 8,
     _mm256_add_epi32(sum, _mm256_madd_epi16(input, factor)))
LOOP(look_up_avx512, "avx512f,avx512bw,avx512vbmi", __m512i, _mm512_setzero_si512(), 12,
     _mm512_add_epi8(sum, _mm512_permutexvar_epi8(factor, input)))
LOOP(count_avx512, "avx512f,avx512vpopcntdq", __m512i, _mm512_setzero_si512(), 12,
     _mm512_add_epi32(sum, _mm512_popcnt_epi32(_mm512_xor_si512(input, factor))))
LOOP(multiply_bytes_avx512, "avx512f,avx512vnni", __m512i, _mm512_setzero_si512(), 12,
     _mm512_dpbusd_epi32(sum, input, factor))

#endif

struct Instructions {
  const char *kernel, *names;
  void (*loop)();
  // Products of a step; of look-ups with weights of one bit, half as many with two.
  int products;
  bool by_weight_bits;
};

const std::vector<Instructions>& all_instructions() {
  static const std::vector<Instructions> all = {
#if defined(__x86_64__)
    {"lookup_6x64_avx2", "vpshufb, vpaddb", look_up_avx2, 4 * 32, true},
    {"popcount_4x16_avx2", "vpxor, vpshufb, vpaddb", count_avx2, 8 * 32, false},
    {"dot8_6x16_avx2", "vpmaddubsw, vpaddw", multiply_bytes_avx2, 32, false},
    {"dot16_6x16_avx2", "vpmaddwd, vpaddd", multiply_words_avx2, 16, false},
    {"lookup_6x128_avx512", "vpermb, vpaddb", look_up_avx512, 6 * 64, true},
    {"lookup_short_6x128_avx512", "vpermb, vpaddb", look_up_avx512, 5 * 64, true},
    {"popcount_6x64_avx512", "vpxor, vpopcntd, vpaddd", count_avx512, 8 * 64, false},
    {"vnni_6x64_avx512", "vpdpbusd", multiply_bytes_avx512, 64, false},
#endif
  };
  return all;
}

double seconds_of(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Products a second; 0: the kernel has no loop here. Each loop is measured once.
double ceiling(std::string_view kernel, int weight_bits) {
  static std::map<std::string_view, double> measured;
  for (const Instructions& one : all_instructions()) {
    if (kernel != one.kernel) continue;
    const auto [entry, is_new] = measured.try_emplace(kernel, 1e300);
    double& best = entry->second;
    for (int i = 0; is_new && i < 2000; ++i) best = std::min(best, seconds_of(one.loop));
    const int products = one.by_weight_bits ? one.products / weight_bits : one.products;
    return double{kSteps} * products / best;
  }
  return 0;
}

// What a kernel makes of a convolution: for look-ups more than two levels take two bits.
int weight_bits(const lowbit::packed::CodeConv& conv) {
  const auto* integers = conv.weights()->Get(0)->integers();
  return integers && integers->size() <= 2 ? 1 : 2;
}

struct Row {
  double time = 1e300;             // of the group by one thread, among the others
  double again = 1e300;            // and once more
  std::vector<double> tile_times;  // of the tiles for several threads, behind that
};

// The time in which `threads` do the tiles, each taking the next when it is done with one.
double together(const std::vector<double>& times, int threads) {
  std::vector<double> done(static_cast<size_t>(threads));
  for (const double time : times) *std::ranges::min_element(done) += time;
  return std::ranges::max(done);
}

class Bench {
 public:
  Bench(const Network& network, int threads)
      : network_(network),
        plan_(network, instruction_set("auto")),
        threads_(threads),
        memory_(plan_.bytes()),
        scratch_(plan_.scratch_bytes()),
        values_(values_in(network, plan_, memory_.data())),
        image_(network.types().front().bytes()),
        rows_(plan_.groups().size()) {
    std::mt19937 random(1);  // NOLINT: the same image every time
    for (uint8_t& byte : image_) byte = static_cast<uint8_t>(random());
    values_.front().data = image_.data();
  }

  void run(double seconds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    for (int run = 0; run < 10 || std::chrono::steady_clock::now() < end; ++run)
      for (size_t i = 0; i < rows_.size(); ++i) run_group(plan_.groups()[i], rows_[i]);
  }

  void print() {
    std::printf("%-26s %-26s %9s %8s %8s %6s %10s\n", "layer", "kernel", "us", "Gmac/s", "ceiling",
                "share", "threads");
    double sum = 0, again = 0, shared = 0;
    for (size_t i = 0; i < rows_.size(); ++i) {
      print(plan_.groups()[i], rows_[i]);
      sum += rows_[i].time;
      again += rows_[i].again;
      shared += together(rows_[i].tile_times, threads_);
    }
    std::printf("%-53s %9.0f %32.2f x\n", "together", 1e6 * sum, again / shared);
  }

 private:
  void run_group(const Group& group, Row& row) {
    row.time = std::min(row.time, seconds_of([&] { run_tiles(group, 1, nullptr); }));
    row.again = std::min(row.again, seconds_of([&] { run_tiles(group, 1, nullptr); }));
    std::vector<double> times;
    run_tiles(group, threads_, &times);
    if (row.tile_times.empty()) row.tile_times = times;
    for (size_t i = 0; i < times.size(); ++i)
      row.tile_times[i] = std::min(row.tile_times[i], times[i]);
  }

  void run_tiles(const Group& group, int threads, std::vector<double>* times) {
    const Tiling tiling(network_, group, threads);
    for (int tile = 0; tile < tiling.count(); ++tile) {
      const auto body = [&] { run_tile(network_, group, tiling, tile, values_, scratch_.data()); };
      const double time = seconds_of(body);
      if (times) times->push_back(time);
    }
  }

  void print(const Group& group, const Row& row) {
    const int first = group.steps.front();
    const auto* conv = network_.step(first).operation_as_CodeConv();
    const auto* value = network_.model().values()->Get(static_cast<unsigned>(first) + 1);
    const Shape& out = network_.types()[static_cast<size_t>(first) + 1].shape;
    std::printf("%-26s %-26s %9.1f", value->name() ? value->name()->c_str() : "", group.kernel(),
                1e6 * row.time);
    if (conv) {
      const double products = static_cast<double>(out.pixels() * network_.weight_count(first) *
                                                  conv->codes()->size() * conv->weights()->size());
      const double most = ceiling(group.kernel(), weight_bits(*conv));
      std::printf(" %8.1f %8.1f %5.0f%%", products / row.time / 1e9, most / 1e9,
                  most > 0 ? 100 * products / row.time / most : 0);
    } else {
      std::printf("%25s", "");
    }
    std::printf(" %8.2f x\n", row.again / together(row.tile_times, threads_));
  }

  const Network& network_;
  Plan plan_;
  int threads_;
  AlignedBytes memory_, scratch_;
  std::vector<Tensor> values_;
  std::vector<uint8_t> image_;
  std::vector<Row> rows_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: roofline MODEL.lowbit [THREADS]\n");
    return 2;
  }
  try {
    const lowbit::core::MappedFile file(argv[1]);
    const std::string_view bytes = file.bytes();
    file.bring(bytes);
    const Network network(
        open_sealed({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}));
    Bench bench(network, argc > 2 ? std::max(std::atoi(argv[2]), 1) : 2);
    bench.run(3);
    bench.print();
  } catch (const lowbit::core::Error& error) {
    std::fprintf(stderr, "roofline: %s\n", error.what());
    return 1;
  }
  return 0;
}
