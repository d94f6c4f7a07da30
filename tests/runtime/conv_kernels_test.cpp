#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "lowbit/runtime/kernels/conv.h"
#include "lowbit/runtime/kernels/instruction_set.h"

namespace lowbit::runtime {
namespace {

// A problem with what its spans show.
struct Case {
  ConvProblem problem;
  std::vector<int8_t> integers, weights;
  std::vector<uint8_t> zero_points, codes;

  void show() {
    problem.code_integers = integers;
    problem.zero_points = zero_points;
    problem.weights = weights;
  }
  size_t codes_count() const { return integers.empty() ? 256 : integers.size(); }
};

struct Values {
  const char* name;
  std::vector<int8_t> of_codes;    // empty: the image
  std::vector<int8_t> of_weights;  // empty: all of -128 .. 127
};

std::vector<int8_t> range(int low, int high) {
  std::vector<int8_t> values;
  for (int value = low; value <= high; ++value) values.push_back(static_cast<int8_t>(value));
  return values;
}

const std::vector<Values>& all_values() {
  static const std::vector<Values> values = {
      {"signs times signs", {-1, 1}, {-1, 1}},
      {"signs times one sign", {1, -1}, {-1}},
      {"bits times signs", {0, 1}, {-1, 1}},
      {"bits times bits", {0, 1}, {0, 1}},
      {"one code times zero", {3}, {0}},
      {"one code times signs", {3}, {-1, 1}},
      {"equal codes times signs", {-4, -4}, {-1, 1}},
      {"two bits times signs", {0, 1, 2, 3}, {-1, 1}},
      {"two bits times two", {0, 1, 2, 3}, {-2, -1, 0, 1}},
      {"odd times odd", {-3, -1, 1, 3}, {-3, -1, 1, 3}},
      {"two bits times ternary", {0, 1, 2, 3}, {-1, 0, 1}},
      {"three levels times ternary", {0, 5, 7}, {-1, 0, 1}},
      {"uneven, unsorted times uneven", {7, -2, 0, 1}, {-5, 0, 2, 3}},
      {"three bits times two", range(0, 7), {-2, -1, 0, 1}},
      {"three bits times three", range(0, 7), range(-4, 3)},
      {"four bits times four", range(0, 15), range(-8, 7)},
      {"four bits times two", range(0, 15), {-3, -1, 1, 3}},
      {"four bits times eight", range(0, 15), {}},
      {"signed bytes times bytes", range(-128, 127), {}},
      {"the image times bytes", {}, {}},
      {"the image times signs", {}, {-1, 1}},
  };
  return values;
}

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  int between(int low, int high) {
    return low + static_cast<int>(engine_() % static_cast<unsigned>(high - low + 1));
  }
  template <class T>
  T one_of(const std::vector<T>& values) {
    return values[static_cast<size_t>(between(0, static_cast<int>(values.size()) - 1))];
  }

 private:
  std::mt19937 engine_;
};

// Weights and codes for the sizes in `problem`: random, or all of the smallest or largest values.
void fill(Case& c, const Values& values, Random& random, bool extreme) {
  const ConvProblem& p = c.problem;
  c.integers = values.of_codes;
  if (c.integers.empty())
    for (int i = 0; i < p.in; ++i)
      c.zero_points.push_back(
          static_cast<uint8_t>(extreme ? 255 * random.between(0, 1) : random.between(0, 255)));
  const std::vector<int8_t> choices =
      values.of_weights.empty() ? range(-128, 127) : values.of_weights;
  const int last_code = static_cast<int>(c.codes_count()) - 1;
  c.weights.resize(static_cast<size_t>(p.out) * p.kernel * p.kernel * (p.in / p.groups));
  const size_t filter = c.weights.size() / static_cast<size_t>(p.out);
  for (size_t i = 0; i < c.weights.size(); ++i)
    // Extreme: a filter is of one value, so that all of its products push the same way.
    c.weights[i] = !extreme          ? random.one_of(choices)
                   : i % filter == 0 ? (random.between(0, 1) ? choices.front() : choices.back())
                                     : c.weights[i - 1];
  c.codes.resize(static_cast<size_t>(p.height) * p.width * p.in);
  const int all = random.between(0, 2);
  for (uint8_t& code : c.codes)
    code =
        static_cast<uint8_t>(!extreme || all == 2 ? random.between(0, last_code) : all * last_code);
  c.show();
}

// Guards behind what a kernel may write.
constexpr int32_t kUntouched = 0x5a5a5a5a;
constexpr size_t kGuard = 64;

struct Free {
  void operator()(void* pointer) const { std::free(pointer); }
};

std::vector<int32_t> sums(const ConvKernel& kernel, const Case& c, const Region& region) {
  const size_t bytes = (kernel.scratch_bytes() + 63) / 64 * 64;
  const std::unique_ptr<void, Free> scratch(std::aligned_alloc(64, bytes + 64));
  std::memset(scratch.get(), 0xff, bytes + 64);
  const size_t count = static_cast<size_t>(region.last_row - region.first_row) *
                       c.problem.out_width() * static_cast<size_t>(region.outs());
  std::vector<int32_t> acc(count + kGuard, kUntouched);
  kernel.run(c.codes.data(), region, acc.data(), scratch.get());
  const uint8_t* behind = static_cast<const uint8_t*>(scratch.get()) + kernel.scratch_bytes();
  EXPECT_EQ(*behind, 0xff) << "writes behind its scratch";
  for (size_t i = count; i < acc.size(); ++i) EXPECT_EQ(acc[i], kUntouched) << "writes behind acc";
  acc.resize(count);
  return acc;
}

void expect_as_reference(const Case& c, const InstructionSet& isa, Random& random) {
  const auto reference = make_conv_kernel(c.problem, instruction_set("reference"));
  for (const auto& kernel : all_conv_kernels(c.problem, isa)) {
    SCOPED_TRACE(kernel->name());
    // Regions that cover all of it.
    const int rows = c.problem.out_height(), block = kernel->out_block();
    for (int row = 0, next_row = 0; row < rows; row = next_row) {
      next_row = random.between(row + 1, rows);
      for (int out = 0, next_out = 0; out < c.problem.out; out = next_out) {
        next_out = std::min(out + block * random.between(1, 3), c.problem.out);
        const Region region{row, next_row, out, next_out};
        ASSERT_EQ(sums(*kernel, c, region), sums(*reference, c, region))
            << c.problem.height << " x " << c.problem.width << " x " << c.problem.in << " to "
            << c.problem.out << ", kernel " << c.problem.kernel << ", stride " << c.problem.stride
            << ", padding " << c.problem.padding << ", groups " << c.problem.groups << ", rows "
            << row << " to " << next_row << ", channels " << out << " to " << next_out;
      }
    }
  }
}

class Kernels : public testing::TestWithParam<InstructionSet> {
 protected:
  void SetUp() override {
    if (!GetParam().is_available()) GTEST_SKIP() << "this machine has no " << GetParam().name;
  }

  void try_case(ConvProblem sizes, const Values& values, Random& random, bool extreme) {
    if (sizes.height + 2 * sizes.padding < sizes.kernel ||
        sizes.width + 2 * sizes.padding < sizes.kernel)
      return;
    SCOPED_TRACE(values.name);
    Case c{sizes, {}, {}, {}, {}};
    fill(c, values, random, extreme);
    expect_as_reference(c, GetParam(), random);
  }
};

ConvProblem random_sizes(Random& random, int groups) {
  const int width_of_group = random.between(1, 13);
  return {.height = random.between(1, 12),
          .width = random.between(1, 12),
          .in = groups * width_of_group,
          .out = groups * random.between(1, groups == 1 ? 140 : 9),
          .kernel = random.one_of<int>({1, 2, 3, 5, 7}),
          .stride = random.between(1, 3),
          .padding = random.between(0, 3),
          .groups = groups,
          .code_integers = {},
          .zero_points = {},
          .weights = {}};
}

TEST_P(Kernels, GiveTheSumsOfTheReferenceForEverySize) {
  Random random(1);
  for (int i = 0; i < 40; ++i)
    for (const Values& values : all_values())
      try_case(random_sizes(random, 1), values, random, false);
}

TEST_P(Kernels, GiveTheSumsOfTheReferenceForGroups) {
  Random random(2);
  for (int i = 0; i < 6; ++i)
    for (const Values& values : all_values())
      try_case(random_sizes(random, random.between(2, 5)), values, random, false);
}

TEST_P(Kernels, GiveTheSumsOfTheReferenceForEachChannelByItself) {
  Random random(3);
  for (int i = 0; i < 12; ++i) {
    for (const Values& values : all_values()) {
      ConvProblem sizes = random_sizes(random, 1);
      sizes.in = sizes.out = sizes.groups = random.between(1, 70);
      for (const bool extreme : {false, true}) try_case(sizes, values, random, extreme);
    }
  }
}

// Every partial sum is as large as it can be, over more inputs than any narrow sum holds.
TEST_P(Kernels, DoNotOverflowWhereAllProductsPushTheSameWay) {
  Random random(4);
  for (const Values& values : all_values()) {
    for (const auto& [in, kernel] :
         std::vector<std::pair<int, int>>{{1100, 1}, {513, 3}, {64, 7}}) {
      for (int i = 0; i < 4; ++i) {
        const ConvProblem sizes{.height = 4,
                                .width = 5,
                                .in = in,
                                .out = 45,  // enough for look-ups
                                .kernel = kernel,
                                .stride = 1,
                                .padding = kernel / 2,
                                .groups = 1,
                                .code_integers = {},
                                .zero_points = {},
                                .weights = {}};
        try_case(sizes, values, random, true);
      }
    }
  }
}

// The first one is the reference itself.
INSTANTIATE_TEST_SUITE_P(EveryIsa, Kernels, testing::ValuesIn(instruction_sets().subspan(1)),
                         [](const auto& isa) { return std::string(isa.param.name); });

}  // namespace
}  // namespace lowbit::runtime
