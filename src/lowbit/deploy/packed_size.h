// Where the bytes of a packed network go.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "lowbit/runtime/program_generated.h"

namespace lowbit::deploy {

struct SizePart {
  std::string name;
  size_t bytes = 0;
};

// Adds up to file_bytes; parts of nothing are left out. The last one is what the format itself and
// the names take.
std::vector<SizePart> packed_size(const packed::ModelT& model, size_t file_bytes);
// Of the numbers of a step.
size_t packed_size(const packed::StepT& step);

// A line for each and one for all of them, which ends without a newline.
std::string format_sizes(const std::vector<SizePart>& parts);

}  // namespace lowbit::deploy
