#include "lowbit/core/threads.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>

namespace lowbit::core {
namespace {

// Cores' worth of CPU time that the control group allows, 0 if it sets no limit.
double quota() {
  std::string limit;
  double period = 0;
  if (std::ifstream v2("/sys/fs/cgroup/cpu.max"); v2 >> limit >> period) {
    return limit == "max" || period <= 0 ? 0 : std::stod(limit) / period;
  }
  double microseconds = 0;
  std::ifstream quota_v1("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  std::ifstream period_v1("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  if (quota_v1 >> microseconds && period_v1 >> period && microseconds > 0 && period > 0)
    return microseconds / period;
  return 0;
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
