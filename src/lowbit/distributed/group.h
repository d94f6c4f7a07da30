// The processes that train one network together, by LibTorch's engine (c10d): NCCL between GPUs,
// Gloo between CPUs.
#pragma once

#include <torch/types.h>

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lowbit/core/error.h"
#include "lowbit/distributed/facts.h"
#include "lowbit/distributed/patience.h"
#include "lowbit/distributed/peer_lost.h"
#include "lowbit/distributed/place.h"

namespace lowbit::distributed {

// A sum that goes on beside other work.
class Pending {
 public:
  Pending(Pending&&) noexcept;
  Pending& operator=(Pending&&) noexcept;
  ~Pending();
  // From here on (on a GPU: for what is enqueued on the current stream) the sum is there. Throws
  // what functions of Group do.
  void wait();

 private:
  friend class Group;
  struct Work;
  explicit Pending(std::unique_ptr<Work> work);
  std::unique_ptr<Work> work_;
};

// Every function is called by all processes in the same order, with tensors of the same shapes and
// types on the group's device, contiguous. Each throws PeerLost, and what PeerWatch::check does.
class Group {
 public:
  struct Terms {
    Facts facts;        // that all processes must have alike
    Patience patience;  // to meet, and whenever a process waits for another
    // As PeerWatch::Setup::end. Of a GPU alone: while it waits for a process that is gone, even an
    // exception gets nowhere, because destructors wait for it.
    std::function<void(std::exception_ptr)> end;
  };
  // Waits for all processes of the place; throws what meet() does. device: of this process, its
  // tensors' device.
  static std::unique_ptr<Group> join(const Place& place, torch::Device device, Terms terms = {});
  ~Group();
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  // The one process that writes files and the log.
  bool leads() const { return rank_ == 0; }
  torch::Device device() const { return device_; }

  // In place, on the current stream of a GPU, where it may be captured. The result has the same
  // bits in every process.
  void sum(const torch::Tensor& tensor);
  void largest(const torch::Tensor& tensor);
  // Process 0's values, everywhere. Any strides and types.
  void take_from_first(const std::vector<torch::Tensor>& tensors);
  // [size, ...]: the tensors of all processes, by rank.
  torch::Tensor gather(const torch::Tensor& tensor);
  // As sum(), beside what the caller does until wait().
  Pending start_sum(const torch::Tensor& tensor);

  // Between the hosts alone: no device waits.
  int64_t largest(int64_t number);
  int64_t sum(int64_t number);
  // The first text, by rank, that is not empty; cut to a kilobyte.
  std::string first_text(const std::string& text);
  void wait_for_all(Limit limit = Limit::patience);

  // An Error (usage), in all processes, where one has other facts than process 0.
  void agree(const Facts& facts);
  // Tells the others why this process is about to leave them.
  void leave(const std::string& reason);

 private:
  friend class Pending;
  struct Engines;
  Group(const Place& place, torch::Device device, std::unique_ptr<Engines> engines);

  int rank_, size_;
  torch::Device device_;
  std::unique_ptr<Engines> engines_;
};

}  // namespace lowbit::distributed
