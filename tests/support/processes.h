// Several processes of a run, played by threads of a test.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <exception>
#include <functional>
#include <thread>
#include <vector>

#include "lowbit/distributed/group_scope.h"

namespace lowbit::testing_support {

// A port of this machine that nobody listens on.
inline int free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  ::bind(socket, generic, length);
  ::getsockname(socket, generic, &length);
  ::close(socket);
  return ntohs(address.sin_port);
}

// Calls body in `count` threads, each with its place in one group, and waits for all. What a body
// throws comes out of here, that of the lowest rank.
inline void as_processes(int count, const std::function<void(distributed::Group&)>& body) {
  const int port = free_port();
  std::vector<std::exception_ptr> errors(static_cast<size_t>(count));
  {
    std::vector<std::jthread> threads;
    for (int rank = 0; rank < count; ++rank)
      threads.emplace_back([&, rank] {
        try {
          const auto group = distributed::Group::join(
              {.rank = rank, .size = count, .local_rank = rank, .local_size = count, .port = port},
              torch::kCPU);
          body(*group);
          // The first process holds the meeting place of all.
          group->wait_for_all();
        } catch (...) {
          errors[static_cast<size_t>(rank)] = std::current_exception();
        }
      });
  }
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
}

}  // namespace lowbit::testing_support
