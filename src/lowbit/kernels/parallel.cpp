#include "lowbit/kernels/parallel.h"

#include <omp.h>

#include <algorithm>
#include <exception>

#include "lowbit/core/threads.h"

namespace lowbit::kernels {

void parallel_for(std::int64_t size, std::int64_t grain,
                  const std::function<void(std::int64_t begin, std::int64_t end)>& body) {
  if (size <= 0) return;
  const auto pieces =
      static_cast<int>(std::clamp<std::int64_t>(size / grain, 1, omp_get_max_threads()));
  if (pieces == 1 || omp_in_parallel()) return body(0, size);
  std::exception_ptr error;
#pragma omp parallel for num_threads(pieces) schedule(static, 1)
  for (int piece = 0; piece < pieces; ++piece) {
    try {
      body(size * piece / pieces, size * (piece + 1) / pieces);
    } catch (...) {
#pragma omp critical(lowbit_parallel_for)
      error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

namespace {

// Those of the PinnedThreads that live: one scope at a time has any, as inside of it a thread may
// use one core only.
std::vector<int>& pinned_cores() {
  static std::vector<int> cores;
  return cores;
}

}  // namespace

std::vector<int> unpinned_cores() {
  return pinned_cores().empty() ? core::allowed_cores() : pinned_cores();
}

PinnedThreads::PinnedThreads() : cores_(core::allowed_cores()) {
  if (static_cast<int>(cores_.size()) != omp_get_max_threads() || !pinned_cores().empty())
    cores_.clear();
  if (cores_.empty()) return;
  pinned_cores() = cores_;
#pragma omp parallel
  core::stay_on({cores_[static_cast<size_t>(omp_get_thread_num())]});
}

PinnedThreads::~PinnedThreads() {
  if (cores_.empty()) return;
  pinned_cores().clear();
#pragma omp parallel
  core::stay_on(cores_);
}

}  // namespace lowbit::kernels
