// How the processes of a run find each other, before they exchange anything else: by c10d's store,
// a table of keys and values that the process of rank 0 (or torchrun) holds at a port.
#pragma once

#include <string>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <vector>

#include "lowbit/distributed/facts.h"
#include "lowbit/distributed/patience.h"
#include "lowbit/distributed/place.h"

namespace lowbit::distributed {

struct Met {
  c10::intrusive_ptr<c10d::Store> store;
  // A connection of its own: an operation waits for the one before it on the same connection.
  c10::intrusive_ptr<c10d::Store> store_of_watch;
  std::vector<std::string> names;  // by rank: "process 1 of 2 (PID 77 on node3)"
};

// Returns when all processes of the place are there and have the same facts. An Error (usage), in
// all of them, where one has others; one where two processes have the same rank; an Error (failure)
// where they cannot meet within the patience; core::Interrupted.
Met meet(const Place& place, const Facts& facts, const Patience& patience);

}  // namespace lowbit::distributed
