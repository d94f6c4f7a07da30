// How many threads this process may keep busy, which is not how many cores the machine has.
#pragma once

#include <vector>

namespace lowbit::core {

// Numbers of the cores in the calling thread's affinity mask, ascending; empty if it cannot be
// read.
std::vector<int> allowed_cores();

// Lets the calling thread run on these cores only; false if the system refuses.
bool stay_on(const std::vector<int>& cores);

// Number of cores that the scheduler lets this process use: those allowed, cut by the CPU quota of
// its control group (versions 1 and 2), at least 1.
int usable_cores();

}  // namespace lowbit::core
