#include "lowbit/runtime/plan.h"

#include <algorithm>
#include <map>

#include "lowbit/runtime/kernels/instruction_set.h"

namespace lowbit::runtime {
namespace {

// A pool has a strip of rows where the rows are many: at the edges of tiles two threads both
// compute the rows of a receptive field.
constexpr int kRowsForEachOfPool = 8;

// With more values than this they find their places in the order in which they are computed.
constexpr size_t kMostBySize = 4096;

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

// Grows a group from its first step along the values, each time by the first step that reads the
// last one. The group is run where its last step stands in the program: whatever else reads a value
// of it must come later, and what it reads beside is there by then.
class Grower {
 public:
  // group_of: of each step the number of its group; -1: it has none yet.
  Grower(const Network& network, std::vector<int>& group_of, int group)
      : network_(network), group_of_(group_of), number_(group) {}

  Group from(int step) {
    add(step);
    const bool is_chain = Chain::may_begin(network_.step(step));
    while (is_chain && grow()) {
    }
    if (is_chain) append_pool();
    for (const int member : group_.steps)
      if (member == last() || readers_of(member).size() > 1) group_.stored.push_back(member + 1);
    return std::move(group_);
  }

 private:
  int last() const { return group_.steps.back(); }
  // Of the value that the step gives.
  const std::vector<int>& readers_of(int step) const {
    return network_.readers()[static_cast<size_t>(step) + 1];
  }
  int group_of(int step) const { return group_of_[static_cast<size_t>(step)]; }

  void add(int step) {
    group_.steps.push_back(step);
    group_of_[static_cast<size_t>(step)] = number_;
  }

  bool fits(int step, int value) const {
    if (group_of(step) >= 0 || !Chain::may_follow(network_.step(step))) return false;
    const packed::Binary* binary = network_.step(step).operation_as_Binary();
    if (!binary) return true;
    const auto& types = network_.types();
    const int other = binary->a() == value ? binary->b() : binary->a();
    if (other != 0 && (other == value || group_of(other - 1) == number_)) return false;
    return binary->a() == value ||
           types[static_cast<size_t>(binary->a())].shape == types[static_cast<size_t>(value)].shape;
  }

  bool grow() {
    const std::vector<int>& readers = readers_of(last());
    if (readers.empty() || !fits(readers[0], last() + 1) || first_outside_ <= readers[0])
      return false;
    if (readers.size() > 1) first_outside_ = std::min(first_outside_, readers[1]);
    add(readers[0]);
    return true;
  }

  // If nothing else reads what the group gives.
  void append_pool() {
    const std::vector<int>& readers = readers_of(last());
    if (readers.size() != 1 || group_of(readers[0]) >= 0 || first_outside_ < network_.steps())
      return;
    const packed::Pool* pool = network_.step(readers[0]).operation_as_Pool();
    if (!pool) return;
    const int rows = network_.types()[static_cast<size_t>(last()) + 1].shape.height;
    if (rows / kRowsForEachOfPool >= pool->window()->kernel()) add(readers[0]);
  }

  const Network& network_;
  std::vector<int>& group_of_;
  int number_;
  Group group_;
  // The first step outside of the group that reads one of its values but the last: each of them is
  // read by the next step of the group, and by no other step of it.
  int first_outside_ = network_.steps();
};

// Lets what a chain gives take the very place of a summand that nothing needs any more: each number
// is read before the one in its place is written. The values of the group are the last ones in
// `waiting`; index_of: where each value is in it, or -1; last_reader: for each value, any numbers.
void find_replaced(const Network& network, const Group& group, int number,
                   const std::vector<int>& index_of, std::vector<int>& last_reader,
                   std::vector<Waiting>& waiting) {
  if (!group.chain || group.has_strip()) return;
  const int input = inputs_of(network.step(group.steps.front())).front();
  // What a step reads besides the value before it; 0: nothing.
  const auto operand_of = [&](size_t i) {
    const packed::Binary* binary = network.step(group.steps[i]).operation_as_Binary();
    const int before = i == 0 ? input : group.steps[i - 1] + 1;
    return !binary ? 0 : binary->a() == before ? binary->b() : binary->a();
  };
  for (size_t i = 0; i < group.steps.size(); ++i)
    last_reader[static_cast<size_t>(operand_of(i))] = group.steps[i];
  size_t next = waiting.size() - group.stored.size();
  int latest = -1;  // of the summands so far
  for (size_t i = 0; i < group.steps.size(); ++i) {
    const int step = group.steps[i], operand = operand_of(i);
    const auto value = static_cast<size_t>(step) + 1, other = static_cast<size_t>(operand);
    const int index = index_of[other];
    if (index >= 0 && operand != input && last_reader[other] == step &&
        waiting[static_cast<size_t>(index)].dies == number &&
        network.types()[other].shape == network.types()[value].shape)
      latest = std::max(latest, index);
    if (next == waiting.size() || waiting[next].number != value) continue;
    if (latest >= 0 && network.types()[value].kind == packed::Kind::real)
      waiting[next].instead = waiting[static_cast<size_t>(latest)].number;
    ++next;
  }
}

// Each value as low as it can stand, beside those that are needed at the same time; in the order of
// their sizes, for which there is a place where others are not.
void place_by_size(std::vector<Waiting>& waiting) {
  std::vector<Waiting> placed;  // by place
  largest_first(waiting);
  for (Waiting& next : waiting) {
    for (const Waiting& other : placed) {
      const bool together = other.born <= next.dies && next.born <= other.dies;
      if (!together) continue;
      if (other.place >= next.place + next.bytes) break;
      const bool same = other.number == next.instead || next.number == other.instead;
      next.place = same && next.place <= other.place
                       ? other.place
                       : std::max(next.place, other.place + other.bytes);
    }
    placed.insert(std::ranges::upper_bound(placed, next.place, {}, &Waiting::place), next);
  }
}

// Each value where one was that nothing needs any more, the smallest that is large enough, or
// behind all others. The time does not depend on how many values are needed at once.
void place_by_time(std::vector<Waiting>& waiting, size_t groups) {
  std::vector<std::vector<size_t>> dying(groups + 1);
  for (size_t i = 0; i < waiting.size(); ++i)
    dying[static_cast<size_t>(waiting[i].dies)].push_back(i);
  std::multimap<size_t, size_t> free;  // bytes -> place
  size_t end = 0, next = 0;
  for (size_t group = 0; group < groups; ++group) {
    for (; next < waiting.size() && waiting[next].born == static_cast<int>(group); ++next) {
      Waiting& value = waiting[next];
      const auto found = free.lower_bound(value.bytes);
      if (found == free.end()) {
        value.place = end;
        end += value.bytes;
        continue;
      }
      const auto [bytes, place] = *found;
      free.erase(found);
      value.place = place;
      if (bytes > value.bytes) free.emplace(bytes - value.bytes, place + value.bytes);
    }
    for (const size_t dead : dying[group]) free.emplace(waiting[dead].bytes, waiting[dead].place);
  }
}

}  // namespace

int Group::strip_rows() const {
  return std::max(chain->block_rows() / spatial->stride(), 1);
}

size_t Group::scratch_bytes(const Network& network) const {
  if (!chain) return 0;
  const size_t bytes = aligned(chain->scratch_bytes());
  if (!has_strip()) return bytes;
  const ValueType& type = network.types()[static_cast<size_t>(before_pool())];
  const int rows = spatial->most_receptive_rows(strip_rows());
  return bytes + aligned(type.shape.row() * type.element_bytes() * static_cast<size_t>(rows));
}

Plan::Plan(const Network& network, const InstructionSet& isa,
           const std::function<void()>& before_group) {
  put_together(network, isa, before_group);
  place(network, !isa.is_reference());
  for (const Group& group : groups_)
    scratch_bytes_ = std::max(scratch_bytes_, group.scratch_bytes(network));
}

void Plan::put_together(const Network& network, const InstructionSet& isa,
                        const std::function<void()>& before_group) {
  group_of_.assign(static_cast<size_t>(network.steps()), -1);
  for (int step = 0; step < network.steps(); ++step) {
    if (group_of_[static_cast<size_t>(step)] >= 0) continue;
    if (isa.is_reference()) {
      Group& group = groups_.emplace_back();
      group.steps = {step};
      group.stored = {step + 1};
    } else {
      const auto number = static_cast<int>(groups_.size());
      groups_.push_back(Grower(network, group_of_, number).from(step));
    }
  }
  std::ranges::sort(groups_, {}, [](const Group& group) { return group.steps.back(); });
  for (size_t i = 0; i < groups_.size(); ++i)
    for (const int step : groups_[i].steps)
      group_of_[static_cast<size_t>(step)] = static_cast<int>(i);

  // A layer's integers take the most memory while it is made: the largest first, when there is
  // little else, and what they leave is used by those that come after.
  std::vector<Waiting> waiting;
  for (size_t i = 0; i < groups_.size(); ++i)
    waiting.push_back({i, network.weight_count(groups_[i].steps.front())});
  largest_first(waiting);
  for (const Waiting& next : waiting) {
    if (next.bytes > 0) before_group();
    make(network, isa, groups_[next.number]);
  }
}

void Plan::make(const Network& network, const InstructionSet& isa, Group& group) {
  const int first = group.steps.front(), last = group.steps.back();
  if (isa.is_reference()) {
    if (network.step(first).operation_as_CodeConv()) group.weights = network.weights(first);
    return;
  }
  if (SpatialStep::can(network.step(last)))
    group.spatial = std::make_unique<SpatialStep>(network, last, isa);
  if (!Chain::may_begin(network.step(first))) return;
  std::span<const int> steps = group.steps;
  if (group.spatial) steps = steps.first(steps.size() - 1);
  const int given = steps.back() + 1;
  group.chain = std::make_unique<Chain>(
      network, steps, group.spatial ? std::span(&given, 1) : std::span(group.stored), isa, trials_);
}

// Values that are needed at the same time stand in different places, but for a sum that takes the
// place of a summand.
void Plan::place(const Network& network, bool reuse) {
  std::vector<Waiting> waiting;
  std::vector<int> index_of(network.types().size(), -1), last_reader(index_of);
  for (size_t i = 0; i < groups_.size(); ++i) {
    const auto number = static_cast<int>(i);
    for (const int stored : groups_[i].stored) {
      const auto value = static_cast<size_t>(stored);
      int dies = number;
      for (const int reader : network.readers()[value])
        dies = std::max(dies, group_of_[static_cast<size_t>(reader)]);
      // The logits and, where nothing is used again, everything stay to the end.
      if (!reuse || stored == network.steps()) dies = static_cast<int>(groups_.size());
      index_of[value] = static_cast<int>(waiting.size());
      waiting.push_back({value, aligned(network.types()[value].bytes()), number, dies});
    }
    find_replaced(network, groups_[i], number, index_of, last_reader, waiting);
  }
  if (waiting.size() <= kMostBySize)
    place_by_size(waiting);
  else
    place_by_time(waiting, groups_.size());
  places_.resize(network.types().size());
  for (const Waiting& value : waiting) {
    places_[value.number] = value.place;
    bytes_ = std::max(bytes_, value.place + value.bytes);
  }
}

}  // namespace lowbit::runtime
