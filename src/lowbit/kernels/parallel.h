// Loops over several CPU threads.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace lowbit::kernels {

// Calls body(begin, end) for pieces that together cover [0, size), on at most omp_get_max_threads()
// threads and with at least `grain` > 0 indices in each piece: a loop of fewer than 2 * grain
// indices stays on the calling thread, as does a loop inside another. Which piece runs where must
// not matter to the result. If bodies throw, one of their exceptions is thrown again here.
void parallel_for(std::int64_t size, std::int64_t grain,
                  const std::function<void(std::int64_t begin, std::int64_t end)>& body);

// The cores that threads of their own may run on: those that the caller may use, or might, were it
// not for PinnedThreads.
std::vector<int> unpinned_cores();

// Keeps each of the omp_get_max_threads() threads on a core of its own while it lives, if there are
// just as many as the caller may use; changes nothing otherwise. Threads that are free to move end
// up together on one core as soon as another process runs beside them, and then wait for each other
// at every barrier. A thread that the caller starts meanwhile stays on the caller's core.
class PinnedThreads {
 public:
  PinnedThreads();
  ~PinnedThreads();
  PinnedThreads(const PinnedThreads&) = delete;
  PinnedThreads& operator=(const PinnedThreads&) = delete;

 private:
  std::vector<int> cores_;  // that the threads get back; empty: not pinned
};

}  // namespace lowbit::kernels
