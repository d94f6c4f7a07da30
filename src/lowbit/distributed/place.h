// Which of the processes that train one network this one is, and where they meet.
#pragma once

#include <optional>
#include <string>

namespace lowbit::distributed {

struct Place {
  int rank = 0, size = 1;              // among all processes
  int local_rank = 0, local_size = 1;  // among those of this machine
  std::string host = "127.0.0.1";      // of the process of rank 0
  int port = 29500;
  // The launcher (torchrun) has opened the meeting place; otherwise the process of rank 0 does.
  bool store_is_open = false;

  bool leads() const { return rank == 0; }
};

// What torchrun and `lowbit train --gpus` put into the environment of every process: RANK and
// WORLD_SIZE; LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT, where they are missing as
// by default (one process on a machine). Nothing where RANK or WORLD_SIZE is missing. An Error
// (usage) that names a variable which is no number, or out of range.
std::optional<Place> place_from_environment();

// Where the environment says only one of RANK and WORLD_SIZE, what is wrong with that; else "".
std::string incomplete_place();

// Where host and port are given by MASTER_ADDR and MASTER_PORT, sets them. Errors as above.
void meet_as_the_environment_says(Place& place);

// Leaves the process its part of the cores, where several are on this machine: from here on its
// threads run on no others.
void take_part_of_cores(const Place& place);

}  // namespace lowbit::distributed
