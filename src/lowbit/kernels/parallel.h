// Loops over several CPU threads.
#pragma once

#include <cstdint>
#include <functional>

namespace lowbit::kernels {

// Calls body(begin, end) for pieces that together cover [0, size), on at most omp_get_max_threads()
// threads and with at least `grain` > 0 indices in each piece: a loop of fewer than 2 * grain
// indices stays on the calling thread, as does a loop inside another. Which piece runs where must
// not matter to the result. If bodies throw, one of their exceptions is thrown again here.
void parallel_for(std::int64_t size, std::int64_t grain,
                  const std::function<void(std::int64_t begin, std::int64_t end)>& body);

}  // namespace lowbit::kernels
