// Programs of as many steps as there may be (in an emulator a tenth) are opened and run in seconds;
// what takes the square of their number takes minutes, and its cube days.
#include <gtest/gtest.h>

#include "programs.h"

namespace lowbit::runtime {
namespace {

int add_relu(Program& program, int input) {
  packed::ActivationT step;
  step.input = input;
  return program.add(std::move(step), program.shape(input));
}

int add_pool(Program& program, int input) {
  packed::PoolT step;
  step.input = input;
  step.window = window(1);
  return program.add(std::move(step), program.shape(input));
}

int add_sum(Program& program, int a, int b) {
  packed::BinaryT step;
  step.a = a;
  step.b = b;
  return program.add(std::move(step), program.shape(a));
}

int add_levels(Program& program, int input) {
  packed::DequantizeT step;
  step.input = input;
  step.groups = 1;
  for (int level = 0; level < program.value(input).levels; ++level)
    step.levels.push_back(static_cast<float>(level));
  return program.add(std::move(step), program.shape(input));
}

// Of all values from `first` on.
int add_concatenate(Program& program, int first) {
  packed::ConcatenateT step;
  int channels = 0;
  for (int value = first; value <= program.last(); ++value) {
    step.inputs.push_back(value);
    channels += program.shape(value).channels;
  }
  return program.add(std::move(step), {1, 1, channels});
}

struct Form {
  const char* name;
  // Adds one step or a few that read `input` or what was added before; the last value.
  int (*grow)(Program& program, int input, int first);
  bool all_at_end = false;  // all values are put side by side at the end
  int channels = 1;
};

const std::vector<Form>& forms() {
  static const std::vector<Form> table = {
      {"a chain", [](Program& p, int last, int) { return add_relu(p, last); }},
      {"a chain of which all is kept", [](Program& p, int last, int) { return add_relu(p, last); },
       true},
      {"steps that no group takes", [](Program& p, int last, int) { return add_pool(p, last); }},
      {"values that are all there at once",
       [](Program& p, int last, int) { return add_pool(p, last); }, true},
      {"a wide fan", [](Program& p, int, int first) { return add_relu(p, first); }, true},
      {"a wide fan of pools", [](Program& p, int, int first) { return add_pool(p, first); }, true},
      {"a fan that is added up",
       [](Program& p, int last, int first) { return add_sum(p, last, add_pool(p, first)); }},
      {"a chain of sums with one value",
       [](Program& p, int last, int first) {
         return last == first ? add_pool(p, last) : add_sum(p, last, first);
       }},
      {"residual blocks",
       [](Program& p, int last, int) { return add_sum(p, add_pool(p, last), last); }},
      {"thresholds and levels",
       [](Program& p, int last, int) {
         return add_levels(p, add_quantize(p, last, 1, {0.5f, 1.5f, 2.5f}));
       }},
      {"convolutions of a channel",
       [](Program& p, int last, int) {
         packed::CodeConvT conv;
         conv.input = add_quantize(p, last, 1, {0.5f, 1.5f, 2.5f});
         conv.window = window(1);
         conv.groups = 1;
         conv.codes.push_back(std::make_unique<packed::CodePlaneT>());
         conv.codes.back()->channels = 1;
         conv.codes.back()->integers = {0, 1, 2, 3};
         conv.weights.push_back(std::make_unique<packed::WeightPlaneT>());
         conv.coefficients = {1};
         return p.add(std::move(conv), {1, 1, 1});
       }},
  };
  return table;
}

Program program_of(const Form& form) {
  Program program(1, 1, form.channels);
  int last = add_levels(program, 0);
  const int first = last;
  while (program.last() + 4 < kMostSteps / kPart) last = form.grow(program, last, first);
  if (form.all_at_end) last = add_concatenate(program, first);
  add_mean(program, last);
  return program;
}

TEST(ManySteps, ArePlannedAndRunInSeconds) {
  for (const Form& form : forms()) {
    SCOPED_TRACE(form.name);
    EXPECT_EQ(difference_of(program_of(form), 1, {1}), "");
  }
}

// With threads, too.
TEST(ManySteps, AreSharedByAThousandThreadsInSeconds) {
  const Program program = program_of(forms()[2]);
  const Program::File file = program.file();
  const Network network(open_sealed(file.span()));
  const Plan plan(network, instruction_set("auto"));
  EXPECT_EQ(Session(network, plan, 1024).threads(), 1) << "a step has one row";
  Program tall(1 << 14, 1, 1);
  int last = add_levels(tall, 0);
  while (tall.last() < 1000) last = add_pool(tall, last);
  add_mean(tall, last);
  const Program::File tall_file = tall.file();
  const Network tall_network(open_sealed(tall_file.span()));
  const Plan tall_plan(tall_network, instruction_set("auto"));
  EXPECT_GT(Session(tall_network, tall_plan, 1024).threads(), 100);
}

// A stage of many numbers is asked for each bit of each threshold's sum: not more than a while.
TEST(ManySteps, BehindAConvolutionAreNotAskedForever) {
  constexpr int kChannels = 1 << 14;
  Draw draw(1);
  Program program(1, 1, 1);
  int last = 0;
  for (int layer = 0; layer < 40; ++layer) {
    last = add_code_conv(program, draw, layer == 0 ? 0 : last, layer % 2 == 0 ? kChannels : 1, 1, 1,
                         0, 1);
    for (int i = 0; i < 200; ++i) last = add_affine(program, last, {1}, {0.25f});
    last = add_quantize(program, last, 1, draw.ascending(15, 0, 60));
  }
  add_levels(program, last);
  EXPECT_EQ(difference_of(program, 1, {2}), "");
}

}  // namespace
}  // namespace lowbit::runtime
