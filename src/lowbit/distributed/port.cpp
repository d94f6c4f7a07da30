#include "lowbit/distributed/port.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "lowbit/core/error.h"

namespace lowbit::distributed {
namespace {

class Socket {
 public:
  explicit Socket(int family) : value_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  ~Socket() {
    if (value_ >= 0) ::close(value_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int get() const { return value_; }
  int release() { return std::exchange(value_, -1); }

  // As TCP servers do: a port that a program has just left may be taken again.
  bool bind(const void* address, socklen_t length) const {
    const int on = 1;
    ::setsockopt(value_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return value_ >= 0 && ::bind(value_, static_cast<const sockaddr*>(address), length) == 0;
  }
  bool listen(const void* address, socklen_t length) const {
    return bind(address, length) && ::listen(value_, SOMAXCONN) == 0;
  }

 private:
  int value_;
};

sockaddr_in version_4(in_addr_t host, int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(host);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

// "" if it connects.
std::string try_to_connect(const addrinfo& address) {
  constexpr int kLongest = 3000;  // ms
  const Socket socket(address.ai_family);
  if (socket.get() < 0) return std::strerror(errno);
  ::fcntl(socket.get(), F_SETFL, O_NONBLOCK);
  if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) == 0) return "";
  if (errno != EINPROGRESS) return std::strerror(errno);
  pollfd ready = {socket.get(), POLLOUT, 0};
  if (::poll(&ready, 1, kLongest) == 0) return std::strerror(ETIMEDOUT);
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  return error == 0 ? "" : std::strerror(error);
}

}  // namespace

int open_port(int port, bool local) {
  if (local) {
    const sockaddr_in address = version_4(INADDR_LOOPBACK, port);
    if (Socket socket(AF_INET); socket.listen(&address, sizeof address)) return socket.release();
  } else {
    sockaddr_in6 both = {};
    both.sin6_family = AF_INET6;
    both.sin6_addr = in6addr_any;
    both.sin6_port = htons(static_cast<uint16_t>(port));
    Socket socket(AF_INET6);
    const int off = 0;
    ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (socket.listen(&both, sizeof both)) return socket.release();
    // A machine without version 6.
    const sockaddr_in address = version_4(INADDR_ANY, port);
    const bool in_use = errno == EADDRINUSE;
    if (Socket old(AF_INET); !in_use && old.listen(&address, sizeof address)) return old.release();
    if (in_use) errno = EADDRINUSE;
  }
  const int error = errno;
  throw core::failure("port {} of this machine cannot be opened for the other processes: {}", port,
                      std::strerror(error))
      .detail(error == EADDRINUSE
                  ? "another program or another run has that port; MASTER_PORT names the port"
                  : "MASTER_PORT names the port");
}

int free_port() {
  sockaddr_in address = version_4(INADDR_LOOPBACK, 0);
  const Socket socket(AF_INET);
  socklen_t length = sizeof address;
  if (!socket.bind(&address, length) ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0)
    throw core::failure("no free port on this machine: {}", std::strerror(errno));
  return ntohs(address.sin_port);
}

Reach reach(const std::string& host, int port) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found)) {
    return {error == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(error),
            error == EAI_NONAME};
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  std::string trouble;
  for (const addrinfo* address = found; address; address = address->ai_next)
    if (trouble = try_to_connect(*address); trouble.empty()) return {};
  return {trouble};
}

}  // namespace lowbit::distributed
