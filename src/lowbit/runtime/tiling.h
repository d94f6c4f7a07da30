// How the threads of a session share the work of a group: rows of its value, or rows and channels.
#pragma once

#include "lowbit/runtime/network.h"
#include "lowbit/runtime/plan.h"

namespace lowbit::runtime {

// Tiles of the value of a group's last step, numbered by rows, then by channels.
class Tiling {
 public:
  // Such that `threads`, each of which takes the next tile when it is done with one, are done
  // together as nearly as possible.
  Tiling(const Network& network, const Group& group, int threads);

  int count() const { return row_tiles_ * channel_tiles_; }
  Rows rows(int tile) const;
  Channels channels(int tile) const;

 private:
  // The time in which `threads` do all tiles, as far as it can be told in a moment.
  double time(const Network& network, const Group& group, int threads) const;

  Shape shape_;
  int rows_ = 1, channels_ = 1;  // of a tile; the last ones may have fewer
  int row_tiles_ = 1, channel_tiles_ = 1;
};

}  // namespace lowbit::runtime
