#include "lowbit/distributed/shard.h"

#include <algorithm>

namespace lowbit::distributed {

Share Shard::share_of(int64_t size) const {
  if (count == 1) return {0, size, false};
  if (size < count) return {0, size, true};
  const int64_t first = size * rank / count;
  return {first, size * (rank + 1) / count - first, false};
}

std::vector<int64_t> Shard::part_of(std::span<const int64_t> order) const {
  if (count == 1) return {order.begin(), order.end()};
  std::vector<int64_t> part;
  const auto size = static_cast<int64_t>(order.size());
  for (int64_t at = 0; at < size; at += batch) {
    const Share share = share_of(std::min(batch, size - at));
    const auto from = order.begin() + at + share.first;
    part.insert(part.end(), from, from + share.count);
  }
  return part;
}

int64_t Shard::place_of(int64_t position) const {
  return count == 1 ? position : position / batch * share_of(batch).count;
}

}  // namespace lowbit::distributed
