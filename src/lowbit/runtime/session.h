// A network being run by one thread, or by a few of the session's own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "lowbit/runtime/network.h"
#include "lowbit/runtime/plan.h"
#include "lowbit/runtime/pool.h"
#include "lowbit/runtime/tiling.h"

namespace lowbit::runtime {

// Memory at an address that 64 divides.
class AlignedBytes {
 public:
  explicit AlignedBytes(size_t bytes);
  std::byte* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(std::byte* data) const;
  };
  std::unique_ptr<std::byte, Free> data_;
};

// The values of a run that has plan.bytes() at `memory`, without the image.
std::vector<Tensor> values_in(const Network& network, const Plan& plan, std::byte* memory);

// Does a tile of a group; plan.scratch_bytes() at `scratch`.
void run_tile(const Network& network, const Group& group, const Tiling& tiling, int tile,
              std::span<const Tensor> values, std::byte* scratch);

class Session {
 public:
  // Network and plan must stay. threads >= 1: so many share the work, or fewer where no step has so
  // many tiles, or where their scratch would make the session larger than Limits::bytes.
  Session(const Network& network, const Plan& plan, int threads);

  // Called after each group.
  using Watcher = void (*)(void* context, const Session& session, const Group& group);

  // image: [H][W][C], logits: [classes]. Any NaN in logits, and while there is a watcher in the
  // values that stand in memory, is 0x7fc00000. Allocates nothing, throws nothing. In a process
  // that was forked off, the calling thread does all the work.
  void run(const uint8_t* image, float* logits, Watcher watch = nullptr, void* context = nullptr);

  // A value that stands in memory since its group was run, while a watcher is called.
  const Tensor& value(int number) const { return values_[static_cast<size_t>(number)]; }
  // Bytes held.
  size_t bytes() const { return bytes_; }
  int threads() const { return pool_.threads(); }

 private:
  void run_group(const Group& group, const Tiling& tiling);

  const Network& network_;
  const Plan& plan_;
  std::vector<Tiling> tilings_;  // of each group
  size_t scratch_bytes_;         // of a thread
  Pool pool_;
  size_t bytes_;
  AlignedBytes memory_, scratch_;
  std::vector<Tensor> values_;
};

}  // namespace lowbit::runtime
