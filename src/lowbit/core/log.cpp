#include "lowbit/core/log.h"

#include <mutex>
#include <set>

namespace lowbit::core {

spdlog::logger& log() {
  static spdlog::logger logger("lowbit");
  return logger;
}

void warn_once(const std::string& text) {
  static std::mutex mutex;
  static std::set<std::string> said;
  const std::lock_guard lock(mutex);
  if (said.insert(text).second) log().warn(text);
}

}  // namespace lowbit::core
