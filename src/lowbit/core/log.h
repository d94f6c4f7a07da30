// What the library has to say while it works. It goes to sinks that only the program chooses (none
// by default), so the library itself never prints.
#pragma once

#include <spdlog/spdlog.h>

namespace lowbit::core {

// The logger of the process. apps/lowbit adds a console and a file sink to it.
spdlog::logger& log();

// As log().warn, but each text only once in a process: for what every layer would repeat.
void warn_once(const std::string& text);

}  // namespace lowbit::core
