// How many threads this process may keep busy, which is not how many cores the machine has; and
// work for them.
#pragma once

#include <cstddef>
#include <functional>
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

// Number of threads for loops in parallel: what OMP_NUM_THREADS says, otherwise usable_cores().
int wanted_threads();

// Calls body(i) for every i below `count` on `threads` >= 1 threads, which begin them in rising
// order. Where bodies throw no further ones begin, and the exception of the lowest i is thrown
// again here: which one that is does not depend on the threads.
void for_each_in_order(int threads, size_t count, const std::function<void(size_t)>& body);

}  // namespace lowbit::core
