// In what order, together with what, and where in memory the values of a network are computed.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "lowbit/runtime/chain.h"
#include "lowbit/runtime/kernels/conv.h"
#include "lowbit/runtime/network.h"
#include "lowbit/runtime/spatial_step.h"

namespace lowbit::runtime {

// Steps that are run together.
struct Group {
  std::vector<int> steps;   // rising
  std::vector<int> stored;  // of the values that they give those that come to stand in memory
  // One of them; none: the one step is run in plain loops, if it is a CodeConv with these weights.
  // Both: the last step is a pool of the chain's result, of which a thread holds a strip of a few
  // rows at a time.
  std::unique_ptr<Chain> chain;
  std::unique_ptr<SpatialStep> spatial;
  Weights weights;

  // The kernel that does most of the work.
  const char* kernel() const { return chain ? chain->name() : spatial ? "spatial" : "reference"; }
  bool has_strip() const { return chain && spatial; }
  // The value that the chain gives.
  int before_pool() const { return steps[steps.size() - 2] + 1; }
  // Rows of the pool at a time: as many as use what the chain computes at a time.
  int strip_rows() const;
  // Scratch of a thread, aligned to 64 bytes: of the chain, then the strip.
  size_t scratch_bytes(const Network& network) const;
};

class Plan {
 public:
  // isa: reference gives each step a group and each value a place of its own. before_group: called
  // before a group with weights is made, when what was made of others is no longer looked at.
  Plan(
      const Network& network, const InstructionSet& isa,
      const std::function<void()>& before_group = [] {});

  const std::vector<Group>& groups() const { return groups_; }
  // The group that has the step.
  const Group& group_of(int step) const {
    return groups_[static_cast<size_t>(group_of_[static_cast<size_t>(step)])];
  }
  // The offset of each value in bytes; nothing for the image and for values that never stand in
  // memory.
  const std::vector<std::optional<size_t>>& places() const { return places_; }
  size_t bytes() const { return bytes_; }
  // Further bytes that each thread needs, aligned to 64.
  size_t scratch_bytes() const { return scratch_bytes_; }

 private:
  void put_together(const Network& network, const InstructionSet& isa,
                    const std::function<void()>& before_group);
  void make(const Network& network, const InstructionSet& isa, Group& group);
  void place(const Network& network, bool reuse);

  std::vector<Group> groups_;
  std::vector<int> group_of_;  // of each step
  int64_t trials_ = Chain::kMostTrials;
  std::vector<std::optional<size_t>> places_;
  size_t bytes_ = 0, scratch_bytes_ = 0;
};

}  // namespace lowbit::runtime
