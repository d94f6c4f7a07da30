// Whether a program makes sense, decided before anything is allocated for it.
#pragma once

#include <cstdint>
#include <vector>

#include "lowbit/runtime/values.h"

namespace lowbit::runtime {

// What a program may ask for at most. The defaults are some hundred times what an image classifier
// needs.
struct Limits {
  // Of all that is held at once to run it with one thread: values, parameters, and what a plan
  // makes of them for any instruction set.
  int64_t bytes = int64_t{4} << 30;
  int64_t operations = int64_t{1} << 40;  // for an image: products, or numbers written
};

// Sizes that a program may have at most, far above any network's and so far below 2^31 that no
// number of pixels, channels, weights or bytes that kernels count in an int leaves it.
inline constexpr int kMostSteps = 1 << 16;
inline constexpr int kMostSide = 1 << 20;              // height and width of a value
inline constexpr int kMostChannels = 1 << 24;          // of a value
inline constexpr int kMostNumbers = 1 << 30;           // of a value or a parameter
inline constexpr int kMostWindow = 1 << 12;            // side and stride of a window
inline constexpr int kMostInputs = 1 << 22;            // weights of an output channel
inline constexpr int kMostInReceptiveField = 1 << 28;  // numbers of its padded rows
inline constexpr int kMostPlanePairs = 1 << 12;        // planes of codes times planes of weights
inline constexpr int kMostKernels = 1 << 16;           // of a program: plane pairs times groups
inline constexpr int kMostLevels = 256;

// The types of all values, of the image first, which are those that the program declares: what each
// step gives follows from its inputs and parameters. An Error (usage) that names the step where
// anything contradicts program.fbs: an input that is not computed before it, a vector of another
// length, a code that has no integer, sums of products beyond 32 bits, or more than the limits.
// This is the one place that decides: whatever passes can be run with every instruction set.
std::vector<ValueType> check(const packed::Model& model, const Limits& limits);

// The values that a step reads, in the order of its operation; of a step that check() has seen.
std::vector<int> inputs_of(const packed::Step& step);

}  // namespace lowbit::runtime
