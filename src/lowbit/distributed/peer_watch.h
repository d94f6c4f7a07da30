// Which of the other processes of a run still answer, while the main thread computes or waits for
// them: each writes into the store that it lives, a few times a second, and reads what the others
// wrote. Steps exchange nothing for it.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <vector>

#include "lowbit/distributed/patience.h"
#include "lowbit/distributed/place.h"

namespace lowbit::distributed {

class PeerWatch {
 public:
  struct Setup {
    Place place;
    std::vector<std::string> names;  // by rank
    c10::intrusive_ptr<c10d::Store> store;
    Patience patience;
    // Ends the process with this error: for a main thread that waits for a GPU, which waits for
    // another process, and so cannot throw it. Null: there is none.
    std::function<void(std::exception_ptr)> end;
  };
  // Each process has called announce before.
  explicit PeerWatch(Setup setup);
  static void announce(c10d::Store& store, int rank);
  // Tells the others that this process leaves.
  ~PeerWatch();
  PeerWatch(const PeerWatch&) = delete;
  PeerWatch& operator=(const PeerWatch&) = delete;

  // The main thread waits for the others while this lives.
  class Waiting {
   public:
    Waiting(PeerWatch& watch, Limit limit);
    ~Waiting();
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

   private:
    PeerWatch& watch_;
  };

  // Throws what ends the wait, if anything does: an Error (failure) that names a process which has
  // not answered, or not come, for the whole patience; core::Interrupted where a signal has come
  // and the wait does not end by itself.
  void check() const;

  // Tells the others why this process leaves, before the destructor does.
  void leave(const std::string& reason);

  // The process that has gone, by name, and why, as far as it is found out in a second: "process 1
  // of 2 (PID 77 on node3): its reason"; "another process of the run" if it is not.
  std::string find_lost() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
  std::thread watcher_;
};

}  // namespace lowbit::distributed
