// The validation images that a run got right before quantization and gets wrong after it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "lowbit/report/run_data.h"

namespace lowbit::report {

struct Flip {
  int64_t image = 0;  // its place in the validation set, from 0
  std::string label{}, predicted{};
  std::string picture{};  // a data URI
};

struct Flips {
  std::string missing{};  // why there are none to show; "" if they were looked for
  int64_t both_right = 0, lost = 0, gained = 0, both_wrong = 0;  // images
  std::map<std::string, int64_t> lost_by_class{};
  std::vector<Flip> examples{};  // of the lost ones, at most `most`, evenly spread
};

// Runs the full-precision weights that the run started from and its checkpoint over the validation
// set, in float32. What that takes may be elsewhere by now, or the run may have begun with random
// weights: `missing` then says so. command_line: options that replace those of the run (--root,
// --device, ...).
Flips find_flips(const RunData& run, const std::vector<std::string>& command_line, size_t most);

}  // namespace lowbit::report
