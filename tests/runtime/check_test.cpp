#include "lowbit/runtime/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "lowbit/core/error.h"
#include "programs.h"

namespace lowbit::runtime {
namespace {

using testing::HasSubstr;

// Image, convolution, affine, codes, convolution, mean.
Program sound() {
  Draw draw(2);
  Program program(6, 6, 3);
  const int conv = add_code_conv(program, draw, 0, 4, 3, 1, 1, 1);
  const int affine = add_affine(program, conv, {1, 2, 3, 4}, {0.5f});
  const int codes = add_quantize(program, affine, 2, {0, 1, 2, 0, 2, 4});
  add_mean(program, add_code_conv(program, draw, codes, 5, 1, 1, 0, 1));
  program.model.classes = {"a", "b", "c", "d", "e"};
  return program;
}

template <class Operation>
Operation& operation(Program& program, size_t step) {
  return *static_cast<Operation*>(program.model.steps[step]->operation.value);
}

// In the place of the mean: other places for 6 x 6 x 5 numbers.
packed::RearrangeT& end_with(Program& program, packed::Layout layout) {
  packed::RearrangeT step;
  step.input = 4;
  step.layout = layout;
  program.model.steps[4]->operation.Set(step);
  return operation<packed::RearrangeT>(program, 4);
}

// What is wrong with the program once it was changed.
std::string fault_of(const std::function<void(Program&)>& change, const Limits& limits = {}) {
  Program program = sound();
  change(program);
  const Program::File file = program.file();
  try {
    check(open_sealed(file.span()), limits);
  } catch (const core::Error& error) {
    return error.what();
  }
  return "";
}

TEST(Check, GivesTheTypesOfASoundProgram) {
  const Program program = sound();
  const Program::File file = program.file();
  const std::vector<ValueType> types = check(open_sealed(file.span()), {});
  ASSERT_EQ(types.size(), 6u);
  EXPECT_EQ(types[3], (ValueType{packed::Kind::code, {6, 6, 4}, 4}));
  EXPECT_EQ(types[5], (ValueType{packed::Kind::real, {1, 1, 5}, 0}));
}

struct Fault {
  const char* name;
  std::function<void(Program&)> change;
  const char* message;
};

const std::vector<Fault>& faults() {
  using packed::CodeConvT;
  static const std::vector<Fault> table = {
      {"another version", [](Program& p) { p.model.version = 2; }, "version 2"},
      {"no steps", [](Program& p) { p.model.steps.clear(); }, "0 steps"},
      {"fewer values than steps", [](Program& p) { p.model.values.pop_back(); }, "describes"},
      {"an image of reals", [](Program& p) { p.model.values[0]->kind = packed::Kind::real; },
       "image"},
      {"an image without pixels", [](Program& p) { p.model.values[0]->height = 0; }, "0 x 6 x 3"},
      {"fewer names than classes", [](Program& p) { p.model.classes.pop_back(); }, "names 4"},
      {"a value that is declared otherwise", [](Program& p) { p.model.values[1]->width = 5; },
       "step 0 (value1): what it gives is not what the program declares"},
      {"a value read before it is there",
       [](Program& p) { operation<packed::AffineT>(p, 1).input = 2; }, "not computed before it"},
      {"a negative value", [](Program& p) { operation<packed::AffineT>(p, 1).input = -1; },
       "value -1"},
      {"reals as codes", [](Program& p) { operation<CodeConvT>(p, 3).input = 1; }, "reals"},
      {"codes as reals", [](Program& p) { operation<packed::AffineT>(p, 1).input = 0; }, "codes"},
      {"a number too many",
       [](Program& p) { operation<packed::AffineT>(p, 1).factor.push_back(1); },
       "5 numbers for 4 channels"},
      {"thresholds that fall",
       [](Program& p) { operation<packed::QuantizeT>(p, 2).thresholds[1] = -1; }, "ascend"},
      {"thresholds that no group divides",
       [](Program& p) { operation<packed::QuantizeT>(p, 2).thresholds.pop_back(); },
       "5 thresholds"},
      {"more levels than a byte has codes",
       [](Program& p) {
         auto& step = operation<packed::QuantizeT>(p, 2);
         step.groups = 1;
         step.thresholds.assign(256, 0);
       },
       "256 thresholds in 1 groups"},
      {"groups that do not divide",
       [](Program& p) { operation<packed::QuantizeT>(p, 2).groups = 3; }, "4 channels in 3 groups"},
      {"no groups", [](Program& p) { operation<packed::QuantizeT>(p, 2).groups = 0; }, "0 groups"},
      {"no window", [](Program& p) { operation<CodeConvT>(p, 0).window = nullptr; }, "no window"},
      {"a window larger than the image",
       [](Program& p) { operation<CodeConvT>(p, 0).window = window(9, 1, 1); }, "a window of 9"},
      {"no steps of the window",
       [](Program& p) { operation<CodeConvT>(p, 0).window = window(3, 0, 1); }, "steps of 0"},
      {"a padding larger than the window",
       [](Program& p) { operation<CodeConvT>(p, 0).window = window(3, 1, 3); }, "padding of 3"},
      {"a byte of weights too few",
       [](Program& p) {
         auto& plane = *operation<CodeConvT>(p, 0).weights[0];
         plane.bits = 2;
         plane.integers = {-1, 0, 1, 2};
         plane.data.assign(26, 0);
       },
       "26 bytes for 108 weights"},
      {"a weight without an integer",
       [](Program& p) {
         auto& plane = *operation<CodeConvT>(p, 0).weights[0];
         plane.bits = 2;
         plane.integers = {-1, 0, 1};
         plane.data.assign(27, 0);
         plane.data[26] = 0xc0;
       },
       "whose code has no integer"},
      {"a code without an integer",
       [](Program& p) {
         operation<CodeConvT>(p, 3).codes[0]->integers = {1, 2, 3};
       },
       "3 integers for 4 levels"},
      {"planes outside the channels",
       [](Program& p) { operation<CodeConvT>(p, 3).codes[0]->first_channel = 1; },
       "channels from 1 on"},
      {"a coefficient too few",
       [](Program& p) { operation<CodeConvT>(p, 0).coefficients.pop_back(); }, "step 0"},
      {"a slice that ends behind the channels",
       [](Program& p) { end_with(p, packed::Layout::slice).first = 1; },
       "channels from 1 on, 5 of them, of 5"},
      {"cells that do not divide the image",
       [](Program& p) { end_with(p, packed::Layout::space_to_depth).cell = 4; },
       "cells of 4 in 6 x 6"},
      {"cells of too few channels",
       [](Program& p) { end_with(p, packed::Layout::depth_to_space).cell = 2; },
       "cells of 2 from 5 channels"},
      {"codes at the end",
       [](Program& p) {
         p.model.steps.resize(3);
         p.model.values.resize(4);
       },
       "no numbers by class"},
      {"nothing to do", [](Program& p) { p.model.steps[1]->operation.Reset(); }, "does nothing"},
      {"an operation that there is not",
       [](Program& p) { operation<packed::MeanT>(p, 4).over_pixels = false; }, "over nothing"},
  };
  return table;
}

TEST(Check, NamesWhatDoesNotFit) {
  EXPECT_EQ(fault_of([](Program&) {}), "");
  for (const Fault& fault : faults())
    EXPECT_THAT(fault_of(fault.change), HasSubstr(fault.message)) << fault.name;
}

TEST(Check, RefusesSumsThatNeedMoreThan32Bits) {
  const auto wide = [](int channels) {
    return [channels](Program& program) {
      program = Program(1, 1, channels);
      packed::CodeConvT conv;
      conv.window = window(1);
      conv.groups = 1;
      auto codes = std::make_unique<packed::CodePlaneT>();
      codes->channels = channels;
      codes->zero_points.assign(static_cast<size_t>(channels), 0);
      conv.codes.push_back(std::move(codes));
      auto weights = std::make_unique<packed::WeightPlaneT>();
      weights->bits = 1;
      weights->integers = {-128, 127};
      weights->data.assign(packed_bytes(static_cast<size_t>(channels), 1), 0);
      conv.weights.push_back(std::move(weights));
      conv.coefficients = {1};
      program.add(std::move(conv), {1, 1, 1});
    };
  };
  EXPECT_EQ(fault_of(wide(65000)), "");
  EXPECT_THAT(fault_of(wide(66000)), HasSubstr("32 bits"));
}

TEST(Check, RefusesWhatTakesMoreMemoryOrTimeThanItMay) {
  EXPECT_THAT(fault_of([](Program&) {}, {.bytes = 1000}), HasSubstr("memory"));
  EXPECT_THAT(fault_of([](Program&) {}, {.operations = 1000}), HasSubstr("time"));
  EXPECT_THAT(fault_of([](Program& program) { program = Program(1 << 20, 1 << 20, 1 << 20); }),
              HasSubstr("0 steps"));
  EXPECT_THAT(fault_of([](Program& program) {
                program.model.values[0]->height = program.model.values[0]->width = 1 << 30;
              }),
              HasSubstr("1048576 rows"));
}

TEST(Container, RefusesEachFileThatWasCut) {
  const std::vector<uint8_t> whole = seal(sound().model);
  for (size_t size = 0; size < whole.size(); ++size) {
    const Program::File cut({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
    EXPECT_THROW(open_sealed(cut.span()), core::Error) << size;
  }
}

TEST(Container, RefusesEachFileOfWhichABitWasChanged) {
  const std::vector<uint8_t> whole = seal(sound().model);
  for (size_t i = 0; i < whole.size(); ++i)
    for (const int bit : {0, 7}) {
      std::vector<uint8_t> changed = whole;
      changed[i] = static_cast<uint8_t>(changed[i] ^ (1 << bit));
      EXPECT_THROW(open_sealed(Program::File(changed).span()), core::Error) << i;
    }
}

// The checksum is no secret: who changes a file may put the right one behind it.
TEST(Container, SealedChangesOfSingleBytesAreRefusedOrRun) {
  const Program program = sound();
  const std::vector<uint8_t> whole = seal(program.model);
  const std::vector<uint8_t> image(program.shape(0).count(), 99);
  int refused = 0, run = 0;
  for (size_t i = 0; i + kTrailerBytes < whole.size(); ++i) {
    std::vector<uint8_t> changed(whole.begin(), whole.end() - kTrailerBytes);
    changed[i] = static_cast<uint8_t>(changed[i] ^ 0x81);
    const Program::File file(seal(changed));
    try {
      const Network network(open_sealed(file.span()), {.bytes = 1 << 25, .operations = 1 << 22});
      const std::vector<uint8_t> larger(network.types()[0].bytes(), 99);
      values_of(network, Plan(network, instruction_set("auto")), 1, larger);
      ++run;
    } catch (const core::Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 100);
  EXPECT_GT(run, 100);
}

TEST(Bits, ComeBackAsTheyWerePacked) {
  Draw draw(3);
  for (int bits = 1; bits <= 8; ++bits) {
    const std::vector<uint8_t> codes = draw.codes(101, 1 << bits);
    const std::vector<uint8_t> packed = pack_bits(codes, bits);
    ASSERT_EQ(packed.size(), packed_bytes(codes.size(), bits));
    for (size_t i = 0; i < codes.size(); ++i)
      ASSERT_EQ(unpack_bits(packed, i, bits), codes[i]) << bits << " bits, code " << i;
  }
}

}  // namespace
}  // namespace lowbit::runtime
