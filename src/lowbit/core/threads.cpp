#include "lowbit/core/threads.h"

#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>

namespace lowbit::core {
namespace {

// The numbers that a file begins with, up to two; 0 for what is none. Not by a stream: the small
// library of the runtime has none of those.
std::array<double, 2> numbers_of(const char* path) {
  std::array<double, 2> numbers{};
  std::array<char, 128> text{};
  if (std::FILE* file = std::fopen(path, "re")) {
    if (std::fgets(text.data(), text.size(), file))
      std::sscanf(text.data(), "%lf %lf", &numbers[0], &numbers[1]);
    std::fclose(file);
  }
  return numbers;
}

// Cores' worth of CPU time that the control group allows, 0 if it sets no limit ("max").
double quota() {
  const auto [limit_v2, period_v2] = numbers_of("/sys/fs/cgroup/cpu.max");
  if (limit_v2 > 0 && period_v2 > 0) return limit_v2 / period_v2;
  const double limit_v1 = numbers_of("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")[0];
  const double period_v1 = numbers_of("/sys/fs/cgroup/cpu/cpu.cfs_period_us")[0];
  return limit_v1 > 0 && period_v1 > 0 ? limit_v1 / period_v1 : 0;
}

}  // namespace

std::vector<int> allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cores;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return cores;
  for (int core = 0; core < CPU_SETSIZE; ++core)
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  return cores;
}

bool stay_on(const std::vector<int>& cores) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : cores) CPU_SET(core, &set);
  return sched_setaffinity(0, sizeof set, &set) == 0;
}

int usable_cores() {
  int cores = static_cast<int>(allowed_cores().size());
  if (const double limit = quota(); limit > 0)
    cores = std::min(cores, static_cast<int>(std::ceil(limit)));
  return std::max(cores, 1);
}

int wanted_threads() {
  const char* given = std::getenv("OMP_NUM_THREADS");
  const int threads = given ? std::atoi(given) : 0;
  return threads > 0 ? threads : usable_cores();
}

void for_each_in_order(int threads, size_t count, const std::function<void(size_t)>& body) {
  std::atomic<size_t> next = 0;
  std::mutex mutex;  // of what follows
  std::exception_ptr first;
  size_t thrown_by = count;
  const auto work = [&] {
    for (size_t i = next++; i < count; i = next++) try {
        body(i);
      } catch (...) {
        next = count;
        const std::lock_guard lock(mutex);
        if (i < thrown_by) {
          first = std::current_exception();
          thrown_by = i;
        }
      }
  };
  {
    std::vector<std::jthread> others;
    for (int i = 1; i < threads; ++i) others.emplace_back(work);
    work();
  }
  if (first) std::rethrow_exception(first);
}

}  // namespace lowbit::core
