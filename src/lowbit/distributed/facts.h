// What the processes of a run must have alike.
#pragma once

#include <string>
#include <vector>

#include "lowbit/core/error.h"

namespace lowbit::distributed {

struct Fact {
  std::string name;   // "option '--lr'"
  std::string value;  // "0.1"
};
using Facts = std::vector<Fact>;

std::string to_text(const Facts& facts);
Facts facts_of(const std::string& text);

// What of `own` is not as process 0 has it, in the words of an error: the first difference in a
// line, then the others, a line each; "" if all is alike.
std::string differences(const Facts& first, const Facts& own, int rank);

// The Error (usage) that says so.
core::Error disagreement(const std::string& differences);

}  // namespace lowbit::distributed
