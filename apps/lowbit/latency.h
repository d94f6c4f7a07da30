// How long something takes that is done for one image at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "lowbit/runtime/lowbit.h"

namespace lowbit::app {

// Seconds of each call of `run`, again and again for `seconds`, at least once; before that it is
// called once more, which does not count.
std::vector<double> latencies(double seconds, const std::function<void()>& run);

// The middle one, which a pause of the machine does not move. Of at least one.
double median(std::vector<double> numbers);

// An image of the size that the network takes; the same every time.
std::vector<uint8_t> noise(const lowbit_description& description);

// "1 thread", "4 threads", of 0 "all cores".
std::string threads_text(int threads);

}  // namespace lowbit::app
