// Whether a program makes sense, decided before anything is allocated for it.
#pragma once

#include <cstdint>
#include <vector>

#include "lowbit/runtime/values.h"

namespace lowbit::runtime {

// What a program may ask for at most. The defaults are some hundred times what an image classifier
// needs.
struct Limits {
  int64_t bytes = int64_t{4} << 30;       // of all values, parameters and unpacked weights together
  int64_t operations = int64_t{1} << 40;  // for an image: products, or numbers written
};

// The types of all values, of the image first, which are those that the program declares: what each
// step gives follows from its inputs and parameters. An Error (usage) that names the step where
// anything contradicts program.fbs: an input that is not computed before it, a vector of another
// length, a code that has no integer, sums of products beyond 32 bits, or more than the limits.
std::vector<ValueType> check(const packed::Model& model, const Limits& limits);

// The values that a step reads, in the order of its operation; of a step that check() has seen.
std::vector<int> inputs_of(const packed::Step& step);

}  // namespace lowbit::runtime
