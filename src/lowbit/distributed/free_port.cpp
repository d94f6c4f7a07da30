#include "lowbit/distributed/free_port.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "lowbit/core/error.h"

namespace lowbit::distributed {

int free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const bool found = socket >= 0 && ::bind(socket, generic, length) == 0 &&
                     ::getsockname(socket, generic, &length) == 0;
  if (socket >= 0) ::close(socket);
  if (!found) throw core::failure("no free port on this machine: {}", std::strerror(errno));
  return ntohs(address.sin_port);
}

}  // namespace lowbit::distributed
