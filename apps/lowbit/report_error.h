// How the program ends where the library throws.
#pragma once

#include <exception>

namespace lowbit::app {

// Says on standard error what went wrong; returns the exit status.
int report_error(const std::exception_ptr& error);

}  // namespace lowbit::app
