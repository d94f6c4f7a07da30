// TCP ports, where processes meet.
#pragma once

#include <string>

namespace lowbit::distributed {

// A socket that listens on the port of this machine; on its loopback device alone if `local`. The
// caller closes it. An Error (failure) says why it cannot be had.
int open_port(int port, bool local);

// A TCP port of this machine that nobody listens on. Another program could take it before it is
// used, which is unlikely. An Error (failure) if there is none.
int free_port();

struct Reach {
  std::string trouble;  // why nobody answers there; empty: somebody does
  bool no_such_host = false;
};
// Connects once and hangs up. May take seconds.
Reach reach(const std::string& host, int port);

}  // namespace lowbit::distributed
