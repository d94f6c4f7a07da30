// Which samples of an epoch a process takes, where several train one network.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lowbit::distributed {

// A process's part of a batch: samples first .. first + count - 1 of it, at least one.
struct Share {
  int64_t first = 0, count = 0;
  // The batch has fewer samples than there are processes: each takes all of it.
  bool whole = false;
};

// Every batch is cut into parts of consecutive samples whose sizes differ by one at most, so that
// the processes together do what one process would do with the batch, and no sample is seen twice.
struct Shard {
  int rank = 0, count = 1;  // of the processes, rank < count
  int64_t batch = 0;        // samples of a batch of all processes; not read where count is 1

  // Of a batch of `size` samples, at least 1.
  Share share_of(int64_t size) const;

  // The process's part of an epoch's samples, whose last batch may be smaller.
  std::vector<int64_t> part_of(std::span<const int64_t> order) const;

  // Where in that part the batch begins that is at `position` of the epoch, a multiple of batch.
  int64_t place_of(int64_t position) const;
};

}  // namespace lowbit::distributed
