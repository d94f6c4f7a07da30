#include "lowbit/core/threads.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>

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

int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  if (const double limit = quota(); limit > 0)
    cores = std::min(cores, static_cast<int>(std::ceil(limit)));
  return std::max(cores, 1);
}

}  // namespace lowbit::core
