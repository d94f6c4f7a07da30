// What a process takes of the memory.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>

namespace lowbit::testing_support {

// Of this process now, in kilobytes; 0 where the system does not say.
inline int64_t resident_kilobytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::stoll(line.substr(6));
  return 0;
}

}  // namespace lowbit::testing_support
