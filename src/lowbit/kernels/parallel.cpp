#include "lowbit/kernels/parallel.h"

#include <omp.h>

#include <algorithm>
#include <exception>

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

}  // namespace lowbit::kernels
