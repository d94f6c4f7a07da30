#include "lowbit/distributed/patience.h"

#include <fmt/format.h>

namespace lowbit::distributed {

std::string seconds_text(std::chrono::milliseconds time) {
  const bool whole = time >= std::chrono::seconds(5) || time.count() % 1000 == 0;
  return whole ? fmt::format("{} s", time.count() / 1000)
               : fmt::format("{:.1f} s", static_cast<double>(time.count()) / 1000);
}

}  // namespace lowbit::distributed
