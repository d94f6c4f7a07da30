#include "lowbit/runtime/plan.h"

#include <algorithm>
#include <numeric>

namespace lowbit::runtime {
namespace {

// A pool has a band of rows where the rows are many: at the edges of parts two threads compute the
// rows under a window both.
constexpr int kRowsForEachOfWindow = 8;

// What waits for its turn, the largest first.
struct Waiting {
  size_t number, bytes;
  int born = 0, dies = 0;  // of a value: numbers of groups
  size_t place = 0;
  size_t instead = 0;  // the value whose very place it may take; 0, the image: none
};
void largest_first(std::vector<Waiting>& all) {
  std::ranges::stable_sort(all, std::greater(), &Waiting::bytes);
}

bool contains(const std::vector<int>& numbers, int number) {
  return std::ranges::find(numbers, number) != numbers.end();
}

// Grows a group from its first step along the values, each time by the first step that reads the
// last one. The group is run where its last step stands in the program: whatever else reads a value
// of it must come later, and what it reads beside is there by then.
class Grower {
 public:
  Grower(const Network& network, const std::vector<bool>& taken)
      : network_(network), taken_(taken) {}

  Group from(int step) {
    group_.steps = {step};
    if (Chain::may_begin(network_.step(step)))
      while (grow()) {
      }
    append_pool();
    const int last = group_.steps.back() + 1;
    for (const int given : group_.steps)
      if (given + 1 == last || first_reader_outside(given + 1) < network_.steps())
        group_.stored.push_back(given + 1);
    return std::move(group_);
  }

 private:
  // The number of steps if there is none.
  int first_reader_outside(int value) const {
    for (const int reader : network_.readers()[static_cast<size_t>(value)])
      if (!contains(group_.steps, reader)) return reader;
    return network_.steps();
  }

  bool fits(int step, int value) const {
    if (taken_[static_cast<size_t>(step)] || !Chain::may_follow(network_.step(step))) return false;
    const packed::Binary* binary = network_.step(step).operation_as_Binary();
    if (!binary) return true;
    const auto& types = network_.types();
    const int other = binary->a() == value ? binary->b() : binary->a();
    if (other != 0 && (other == value || contains(group_.steps, other - 1))) return false;
    return binary->a() == value ||
           types[static_cast<size_t>(binary->a())].shape == types[static_cast<size_t>(value)].shape;
  }

  bool grow() {
    const int value = group_.steps.back() + 1;
    const int next = first_reader_outside(value);
    if (next == network_.steps() || !fits(next, value)) return false;
    for (const int step : group_.steps)
      if (step + 1 != value && first_reader_outside(step + 1) <= next) return false;
    group_.steps.push_back(next);
    return true;
  }

  // If nothing else reads what the group gives.
  void append_pool() {
    const int value = group_.steps.back() + 1, pool = first_reader_outside(value);
    if (pool == network_.steps() || taken_[static_cast<size_t>(pool)] ||
        !Chain::may_begin(network_.step(group_.steps.front())))
      return;
    const packed::Pool* operation = network_.step(pool).operation_as_Pool();
    if (!operation || network_.readers()[static_cast<size_t>(value)].size() > 1) return;
    for (const int step : group_.steps)
      if (step + 1 != value && first_reader_outside(step + 1) < network_.steps()) return;
    const int rows = network_.types()[static_cast<size_t>(value)].shape.height;
    if (rows / kRowsForEachOfWindow >= operation->window()->kernel()) group_.steps.push_back(pool);
  }

  const Network& network_;
  const std::vector<bool>& taken_;
  Group group_;
};

}  // namespace

int Group::band_rows() const {
  return std::max(chain->block_rows() / windows->stride(), 1);
}

size_t Group::scratch_bytes(const Network& network) const {
  if (!chain) return 0;
  const size_t bytes = aligned(chain->scratch_bytes());
  if (!has_band()) return bytes;
  const ValueType& type = network.types()[static_cast<size_t>(before_pool())];
  const int rows = windows->most_rows_under(band_rows());
  return bytes + aligned(type.shape.row() * type.element_bytes() * static_cast<size_t>(rows));
}

Plan::Plan(const Network& network, Isa isa, const std::function<void()>& before_group) {
  put_together(network, isa, before_group);
  place(network, isa != Isa::reference);
  for (const Group& group : groups_)
    scratch_bytes_ = std::max(scratch_bytes_, group.scratch_bytes(network));
}

void Plan::put_together(const Network& network, Isa isa,
                        const std::function<void()>& before_group) {
  std::vector<bool> taken(static_cast<size_t>(network.steps()));
  for (int step = 0; step < network.steps(); ++step) {
    if (taken[static_cast<size_t>(step)]) continue;
    Group group;
    if (isa == Isa::reference) {
      group.steps = {step};
      group.stored = {step + 1};
    } else {
      group = Grower(network, taken).from(step);
    }
    for (const int member : group.steps) taken[static_cast<size_t>(member)] = true;
    groups_.push_back(std::move(group));
  }
  std::ranges::sort(groups_, {}, [](const Group& group) { return group.steps.back(); });

  // A layer's integers take the most memory while it is made: the largest first, when there is
  // little else, and what they leave is used by those that come after.
  std::vector<Waiting> waiting;
  for (size_t i = 0; i < groups_.size(); ++i)
    waiting.push_back({i, network.weight_count(groups_[i].steps.front())});
  largest_first(waiting);
  for (const Waiting& next : waiting) {
    before_group();
    make(network, isa, groups_[next.number]);
  }
}

void Plan::make(const Network& network, Isa isa, Group& group) {
  const int first = group.steps.front(), last = group.steps.back();
  if (isa == Isa::reference) {
    if (network.step(first).operation_as_CodeConv()) group.weights = network.weights(first);
    return;
  }
  if (WindowStep::can(network.step(last)))
    group.windows = std::make_unique<WindowStep>(network, last, isa);
  if (!Chain::may_begin(network.step(first))) return;
  std::span<const int> steps = group.steps;
  if (group.windows) steps = steps.first(steps.size() - 1);
  const int given = steps.back() + 1;
  group.chain = std::make_unique<Chain>(
      network, steps, group.windows ? std::span(&given, 1) : std::span(group.stored), isa);
}

// Values that are needed at the same time stand in different places, but for a sum that takes the
// place of a summand; the largest find theirs first, each as low as it can.
void Plan::place(const Network& network, bool reuse) {
  std::vector<int> group_of(static_cast<size_t>(network.steps()));
  for (size_t i = 0; i < groups_.size(); ++i)
    for (const int step : groups_[i].steps)
      group_of[static_cast<size_t>(step)] = static_cast<int>(i);

  std::vector<Waiting> waiting, placed;
  for (size_t i = 0; i < groups_.size(); ++i)
    for (const int stored : groups_[i].stored) {
      const auto value = static_cast<size_t>(stored);
      int dies = static_cast<int>(i);
      for (const int reader : network.readers()[value])
        dies = std::max(dies, group_of[static_cast<size_t>(reader)]);
      // The logits and, where nothing is used again, everything stay to the end.
      if (!reuse || stored == network.steps()) dies = static_cast<int>(groups_.size());
      Waiting next{value, aligned(network.types()[value].bytes()), static_cast<int>(i), dies};
      const Chain* chain = groups_[i].chain.get();
      for (const Waiting& before : waiting)
        if (chain && before.dies == next.born &&
            network.types()[before.number] == network.types()[value] &&
            chain->may_replace(static_cast<int>(before.number), stored))
          next.instead = before.number;
      waiting.push_back(next);
    }
  largest_first(waiting);

  places_.resize(network.types().size());
  for (Waiting& next : waiting) {
    for (const Waiting& other : placed) {  // by place
      const bool together = other.born <= next.dies && next.born <= other.dies;
      if (!together) continue;
      if (other.place >= next.place + next.bytes) break;
      const bool same = other.number == next.instead || next.number == other.instead;
      next.place = same && next.place <= other.place
                       ? other.place
                       : std::max(next.place, other.place + other.bytes);
    }
    places_[next.number] = next.place;
    bytes_ = std::max(bytes_, next.place + next.bytes);
    placed.insert(std::ranges::upper_bound(placed, next.place, {}, &Waiting::place), next);
  }
}

}  // namespace lowbit::runtime
