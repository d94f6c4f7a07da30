// Planned against plain: the same bits in every value that comes to stand in memory.
#include <gtest/gtest.h>

#include <atomic>

#include "programs.h"

namespace lowbit::runtime {
namespace {

std::vector<uint8_t> image_of(const Program& program, uint32_t seed) {
  return Draw(seed).codes(program.shape(0).count(), 256);
}

// Compares all values of `planned` that are there; how many that were.
int expect_same(const Network& network, const std::vector<std::vector<uint8_t>>& plain,
                const std::vector<std::vector<uint8_t>>& planned) {
  int compared = 0;
  for (size_t i = 1; i < plain.size(); ++i) {
    if (planned[i].empty()) continue;
    ++compared;
    EXPECT_TRUE(plain[i] == planned[i])
        << "value " << i << " by "
        << EnumNameOperation(network.step(static_cast<int>(i) - 1).operation_type());
  }
  return compared;
}

TEST(Plan, UsesMemoryOfValuesAgainThatAreNoLongerNeeded) {
  Program program(16, 16, 3);
  packed::NormalizeT normalize;
  normalize.input = 0;
  normalize.mean.assign(3, 0);
  normalize.std.assign(3, 1);
  int value = program.add(std::move(normalize), program.shape(0));
  for (int i = 0; i < 20; ++i) {
    packed::PoolT pool;
    pool.input = value;
    pool.window = window(3, 1, 1);
    value = program.add(std::move(pool), program.shape(value));
  }
  add_mean(program, value);
  const Program::File file = program.file();
  const Network network(open_sealed(file.span()));
  const size_t one = program.shape(value).count() * sizeof(float);
  EXPECT_GE(Plan(network, instruction_set("reference")).bytes(), 21 * one);
  EXPECT_LE(Plan(network, instruction_set("auto")).bytes(), 2 * one + 64);
}

int add_binary(Program& program, packed::Arithmetic arithmetic, int a, int b) {
  packed::BinaryT binary;
  binary.arithmetic = arithmetic;
  binary.a = a;
  binary.b = b;
  return program.add(std::move(binary), program.shape(a));
}

// Two residual blocks. again: what the first adds is needed once more behind its sum.
struct Residual {
  explicit Residual(uint32_t seed, bool again) {
    Draw draw(seed);
    kept = add_affine(program, add_code_conv(program, draw, 0, 8, 3, 1, 1, 1), {0.02f}, {1});
    const int codes = add_quantize(program, kept, 1, {0, 1, 2});
    int sum = added = add_binary(program, packed::Arithmetic::add,
                                 add_code_conv(program, draw, codes, 8, 3, 1, 1, 1), kept);
    if (again) sum = add_binary(program, packed::Arithmetic::multiply, added, kept);
    const int next = add_quantize(program, sum, 1, {-1, 3, 5});
    last = add_binary(program, packed::Arithmetic::add,
                      add_code_conv(program, draw, next, 8, 3, 1, 1, 1), added);
    add_mean(program, last);
  }
  Program program{12, 10, 3};
  int kept = 0, added = 0, last = 0;
};

TEST(Plan, PutsASumInThePlaceOfASummandThatIsNoLongerNeeded) {
  for (const bool again : {false, true})
    for (uint32_t seed = 0; seed < 6; ++seed) {
      SCOPED_TRACE(seed);
      const Residual residual(seed, again);
      const Program::File file = residual.program.file();
      const Network network(open_sealed(file.span()));
      const std::vector<uint8_t> image = image_of(residual.program, seed);
      const auto plain = values_of(network, Plan(network, instruction_set("reference")), 1, image);
      for (const InstructionSet& isa : isas()) {
        const Plan plan(network, isa);
        const auto place = [&plan](int value) {
          return plan.places().at(static_cast<size_t>(value)).value();
        };
        EXPECT_EQ(place(residual.added) == place(residual.kept), !again);
        EXPECT_EQ(place(residual.last), 0u) << "the place of one of them";
        for (const int threads : {1, 3})
          EXPECT_GE(expect_same(network, plain, values_of(network, plan, threads, image)), 5);
      }
    }
}

TEST(Plan, PutsAConvolutionAndWhatFollowsNumberByNumberIntoOneGroup) {
  Draw draw(1);
  Program program(8, 8, 3);
  const int first = add_code_conv(program, draw, 0, 8, 3, 1, 1, 1);
  const int kept = add_affine(program, first, {2}, {1});
  const int codes = add_quantize(program, kept, 1, {0, 1, 2});
  const int second = add_code_conv(program, draw, codes, 8, 3, 1, 1, 1);
  const int added = add_binary(program, packed::Arithmetic::add, second, kept);
  add_mean(program, added);
  const Program::File file = program.file();
  const Network network(open_sealed(file.span()));
  const Plan plan(network, instruction_set("auto"));
  ASSERT_EQ(plan.groups().size(), 3u);
  EXPECT_EQ(plan.groups()[0].steps, (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(plan.groups()[0].stored, (std::vector<int>{kept, codes}));
  EXPECT_EQ(plan.groups()[1].steps, (std::vector<int>{3, 4}));
  EXPECT_EQ(plan.groups()[1].stored, (std::vector<int>{added}));
}

TEST(Plan, GivesTheSameBitsForAnyNumberOfThreads) {
  const Program program = random_program(7, 40);
  const Program::File file = program.file();
  const Network network(open_sealed(file.span()));
  const Plan plan(network, instruction_set("auto"));
  const std::vector<uint8_t> image = image_of(program, 3);
  const auto alone = values_of(network, plan, 1, image);
  for (const int threads : {2, 3, 8}) EXPECT_EQ(values_of(network, plan, threads, image), alone);
}

// A convolution and a pool of what it gives: of its reals or, where the pool is one of codes, of
// codes.
Program pooled_program(Draw& draw, const packed::Window& of_pool, packed::Pooling pooling,
                       bool codes, bool ceil) {
  Program program(70, 60, 3);
  int last = add_code_conv(program, draw, 0, 20, 3, 1, 1, 1);
  last = add_affine(program, last, draw.reals(20), draw.reals(20));
  if (codes) last = add_quantize(program, last, 1, {0, 1, 2});
  packed::PoolT pool;
  pool.input = last;
  pool.window = window(of_pool.kernel(), of_pool.stride(), of_pool.padding());
  pool.pooling = pooling;
  pool.ceil = ceil;
  const auto side = [&](int length) {
    const int rest = length + 2 * of_pool.padding() - of_pool.kernel();
    const int count = rest / of_pool.stride() + 1;
    const bool one_more = ceil && rest % of_pool.stride() != 0 &&
                          count * of_pool.stride() < length + of_pool.padding();
    return count + (one_more ? 1 : 0);
  };
  last = program.add(std::move(pool), {side(70), side(60), 20}, codes ? 4 : 0);
  if (codes) {
    packed::DequantizeT dequantize;
    dequantize.input = last;
    dequantize.groups = 1;
    dequantize.levels = {0, 1, 2, 3};
    last = program.add(std::move(dequantize), program.shape(last));
  }
  add_mean(program, last);
  return program;
}

TEST(Plan, RunsAPoolByBandsOfTheRowsThatItReads) {
  Draw draw(5);
  for (const packed::Window& of_pool :
       {packed::Window(3, 2, 1), packed::Window(2, 2, 0), packed::Window(3, 1, 1),
        packed::Window(2, 3, 0), packed::Window(7, 3, 3)})
    for (const int kind : {0, 1, 2, 3}) {
      SCOPED_TRACE(testing::Message() << "window " << of_pool.kernel() << ", kind " << kind);
      const auto pooling = kind == 0 ? packed::Pooling::average : packed::Pooling::maximum;
      const Program program = pooled_program(draw, of_pool, pooling, kind == 2, kind == 3);
      const Program::File file = program.file();
      const Network network(open_sealed(file.span()));
      const std::vector<uint8_t> image = image_of(program, 6);
      const auto plain = values_of(network, Plan(network, instruction_set("reference")), 1, image);
      for (const InstructionSet& isa : isas()) {
        const Plan plan(network, isa);
        const Group& first = plan.groups().front();
        ASSERT_TRUE(first.has_strip());
        EXPECT_EQ(network.step(first.steps.back()).operation_type(), packed::Operation::Pool);
        EXPECT_EQ(first.stored, (std::vector<int>{first.steps.back() + 1}));
        EXPECT_FALSE(plan.places()[static_cast<size_t>(first.before_pool())]);
        for (const int threads : {1, 2, 3, 8})
          EXPECT_GE(expect_same(network, plain, values_of(network, plan, threads, image)), 2);
      }
    }
}

// Few rows of many channels, with all operations that may follow in the group.
Program wide_program() {
  Draw draw(2);
  Program program(6, 5, 3);
  int last = add_code_conv(program, draw, 0, 300, 3, 1, 1, 1);
  const int kept = add_affine(program, last, draw.reals(300), draw.reals(300));
  std::vector<float> of_groups, of_channels;
  for (int i = 0; i < 4; ++i)
    for (const float x : draw.ascending(40)) of_groups.push_back(x);
  for (int i = 0; i < 300; ++i)
    for (const float x : draw.ascending(3)) of_channels.push_back(x);
  for (const auto& [groups, thresholds] : {std::pair{4, of_groups}, std::pair{300, of_channels}}) {
    last = add_quantize(program, kept, groups, thresholds);
    last = add_code_conv(program, draw, last, 300, 3, 1, 1, 1);
    packed::BinaryT sum;
    sum.a = last;
    sum.b = kept;
    last = program.add(std::move(sum), program.shape(last));
    last = add_quantize(program, last, groups, thresholds);
    packed::DequantizeT dequantize;
    dequantize.input = last;
    dequantize.groups = 6;
    dequantize.levels = draw.reals(6 * static_cast<size_t>(program.value(last).levels));
    last = program.add(std::move(dequantize), program.shape(last));
  }
  add_mean(program, last);
  return program;
}

TEST(Tiling, RowsAndChannels_GiveTheBitsOfThePlainLoops) {
  const Program program = wide_program();
  const Program::File file = program.file();
  const Network network(open_sealed(file.span()));
  const std::vector<uint8_t> image = image_of(program, 4);
  const auto plain = values_of(network, Plan(network, instruction_set("reference")), 1, image);
  for (const InstructionSet& isa : isas()) {
    SCOPED_TRACE(isa.name);
    const Plan plan(network, isa);
    for (const int threads : {1, 2, 3, 8})
      EXPECT_GT(expect_same(network, plain, values_of(network, plan, threads, image)), 3);
  }
}

TEST(Tiling, EveryNumber_IsInOneTile) {
  const Program program = wide_program();
  const Program::File file = program.file();
  const Network network(open_sealed(file.span()));
  const Plan plan(network, instruction_set("auto"));
  int of_channels = 0;
  for (const Group& group : plan.groups()) {
    const Shape& shape = network.types()[static_cast<size_t>(group.steps.back()) + 1].shape;
    for (const int threads : {1, 2, 5, 64}) {
      const Tiling tiling(network, group, threads);
      std::vector<int> times(static_cast<size_t>(shape.height * shape.channels));
      for (int tile = 0; tile < tiling.count(); ++tile) {
        const Rows rows = tiling.rows(tile);
        const Channels channels = tiling.channels(tile);
        if (channels.first > 0) ++of_channels;
        for (int y = rows.first; y < rows.last; ++y)
          for (int c = channels.first; c < channels.last; ++c)
            ++times[static_cast<size_t>(y * shape.channels + c)];
      }
      for (const int number : times) ASSERT_EQ(number, 1);
    }
  }
  EXPECT_GT(of_channels, 0) << "none is of some channels only";
}

// What they took when they were measured: at most a value of reals and one of codes at once.
TEST(Plan, OfResidualNetworksNeedsNoMoreMemoryThanItDid) {
  const auto bytes = [](const ResidualShape& shape) {
    const Program::File file = residual_program(shape).file();
    const Network network(open_sealed(file.span()));
    return Plan(network, instruction_set("auto")).bytes();
  };
  EXPECT_LE(bytes({.bits = 4}), size_t{1'204'224});
  EXPECT_LE(bytes({.side = 32, .classes = 100, .blocks = 3, .widths = {16, 32, 64}, .stem = false}),
            size_t{98'304});
}

TEST(Pool, CallsEachPartOnceAndAThreadForOneAtATime) {
  Pool pool(4);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::atomic<int>> calls(37), at_work(4);
    std::atomic<bool> alone = true;
    pool.each(37, [&](int task, int thread) {
      if (++at_work[static_cast<size_t>(thread)] != 1) alone = false;
      ++calls[static_cast<size_t>(task)];
      --at_work[static_cast<size_t>(thread)];
    });
    for (const std::atomic<int>& count : calls) ASSERT_EQ(count, 1);
    ASSERT_TRUE(alone);
  }
}

// Threads that come late, since others have their cores, must neither be waited for nor take tasks
// of other work.
TEST(Pool, DoesAllPartsOfShortWorkWithMoreThreadsThanCores) {
  Pool pool(16);
  std::atomic<int> wrong = 0;
  for (int round = 1; round <= 5000; ++round) {
    std::atomic<int> sum = 0;
    const int tasks = 1 + round % 40;
    pool.each(tasks, [&, round](int task, int) {
      if (task >= 1 + round % 40) ++wrong;
      sum += task + 1;
    });
    ASSERT_EQ(sum, tasks * (tasks + 1) / 2);
  }
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace lowbit::runtime
