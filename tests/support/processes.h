// Several processes of a run, played by threads of a test.
#pragma once

#include <exception>
#include <functional>
#include <thread>
#include <vector>

#include "lowbit/distributed/group_scope.h"
#include "lowbit/distributed/port.h"

namespace lowbit::testing_support {

// Calls body in `count` threads, each with its place in one group, and waits for all. What a body
// throws comes out of here, that of the lowest rank.
inline void as_processes(int count, const std::function<void(distributed::Group&)>& body) {
  const int port = distributed::free_port();
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
