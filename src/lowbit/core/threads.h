// How many threads this process may keep busy, which is not how many cores the machine has.
#pragma once

namespace lowbit::core {

// Cores that the scheduler lets this process use: its affinity mask, cut by the CPU quota of its
// control group (versions 1 and 2), at least 1.
int usable_cores();

}  // namespace lowbit::core
