// How the threads of a session share the work of a group: rows of its value, or rows and channels.
#pragma once

#include "lowbit/runtime/network.h"
#include "lowbit/runtime/plan.h"

namespace lowbit::runtime {

// Parts of the value of a group's last step, numbered by rows, then by channels.
class Parts {
 public:
  // Such that `threads`, each of which takes the next part when it is done with one, are done
  // together as nearly as possible.
  Parts(const Network& network, const Group& group, int threads);

  int count() const { return row_parts_ * channel_parts_; }
  Rows rows(int part) const;
  Channels channels(int part) const;

 private:
  // The time in which `threads` do all parts, as far as it can be told in a moment.
  double time(const Network& network, const Group& group, int threads) const;

  Shape shape_;
  int rows_ = 1, channels_ = 1;  // of a part; the last ones may have fewer
  int row_parts_ = 1, channel_parts_ = 1;
};

}  // namespace lowbit::runtime
