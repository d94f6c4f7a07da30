// The error of a process whose run has lost another one.
#pragma once

#include <string>

#include "lowbit/core/error.h"

namespace lowbit::distributed {

// Another process ended, or can no longer be reached.
class PeerLost : public core::Error {
 public:
  // who: "process 1 of 2 (PID 77 on node3)"
  explicit PeerLost(const std::string& who)
      : core::Error(core::ErrorKind::failure, "lost " + who) {}
};

}  // namespace lowbit::distributed
