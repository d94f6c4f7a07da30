#include "lowbit/runtime/session.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>

#include "lowbit/runtime/reference.h"

namespace lowbit::runtime {
namespace {

constexpr std::align_val_t kAlignment{64};

// What becomes of every NaN: which of its many forms an operation gives differs between machines.
constexpr uint32_t kNan = 0x7fc00000;

void unite_nans(float* numbers, size_t count) {
  for (size_t i = 0; i < count; ++i)
    if (std::isnan(numbers[i])) std::memcpy(&numbers[i], &kNan, sizeof kNan);
}

std::vector<Tiling> tilings_of(const Network& network, const Plan& plan, int threads) {
  std::vector<Tiling> tilings;
  tilings.reserve(plan.groups().size());
  for (const Group& group : plan.groups()) tilings.emplace_back(network, group, threads);
  return tilings;
}

// So many of the threads as have something to do and are allowed scratch.
int useful_threads(const Plan& plan, const std::vector<Tiling>& tilings, int threads) {
  const int most_tiles = std::ranges::max(tilings, {}, &Tiling::count).count();
  const int64_t room = Limits().bytes - static_cast<int64_t>(plan.bytes());
  const int64_t most = room / std::max<int64_t>(static_cast<int64_t>(plan.scratch_bytes()), 1);
  return static_cast<int>(std::clamp<int64_t>(most, 1, std::min(threads, most_tiles)));
}

// The rows that the pool needs, a few at a time; what the next ones need, too, is kept.
void run_strip(const Group& group, const Values& all, Rows rows, std::byte* scratch) {
  Values values(all, static_cast<size_t>(group.before_pool()));
  Tensor& between = values.own();
  between.data = scratch + aligned(group.chain->scratch_bytes());
  const Channels channels{0, between.type.shape.channels};
  int known = 0;  // the rows before are computed
  for (int y = rows.first; y < rows.last; y += group.strip_rows()) {
    const Rows some{y, std::min(y + group.strip_rows(), rows.last)};
    const Rows needed = group.spatial->receptive_rows(some);
    if (known > needed.first)
      std::memmove(between.data, between.row(needed.first),
                   static_cast<size_t>(between.row(known) - between.row(needed.first)));
    between.first_row = needed.first;
    group.chain->run(values, {std::max(known, needed.first), needed.last}, channels, scratch);
    group.spatial->run(values, some);
    known = needed.last;
  }
}

}  // namespace

void AlignedBytes::Free::operator()(std::byte* data) const {
  ::operator delete(data, kAlignment);
}

AlignedBytes::AlignedBytes(size_t bytes)
    : data_(static_cast<std::byte*>(::operator new(std::max<size_t>(bytes, 1), kAlignment))) {}

std::vector<Tensor> values_in(const Network& network, const Plan& plan, std::byte* memory) {
  std::vector<Tensor> values;
  for (size_t i = 0; i < network.types().size(); ++i) {
    const std::optional<size_t>& place = plan.places()[i];
    values.push_back({network.types()[i], place ? memory + *place : nullptr});
  }
  return values;
}

void run_tile(const Network& network, const Group& group, const Tiling& tiling, int tile,
              std::span<const Tensor> values, std::byte* scratch) {
  const Rows rows = tiling.rows(tile);
  if (group.has_strip())
    run_strip(group, values, rows, scratch);
  else if (group.chain)
    group.chain->run(values, rows, tiling.channels(tile), scratch);
  else if (group.spatial)
    group.spatial->run(values, rows);
  else
    run_step(network, group.steps.front(), group.weights, values, rows);
}

Session::Session(const Network& network, const Plan& plan, int threads)
    : network_(network),
      plan_(plan),
      tilings_(tilings_of(network, plan, threads)),
      scratch_bytes_(plan.scratch_bytes()),
      pool_(useful_threads(plan, tilings_, threads)),
      bytes_(plan.bytes() + scratch_bytes_ * static_cast<size_t>(pool_.threads())),
      memory_(plan.bytes()),
      scratch_(bytes_ - plan.bytes()),
      values_(values_in(network, plan, memory_.data())) {}

void Session::run_group(const Group& group, const Tiling& tiling) {
  pool_.each(tiling.count(), [&](int tile, int thread) {
    run_tile(network_, group, tiling, tile, values_,
             scratch_.data() + static_cast<size_t>(thread) * scratch_bytes_);
  });
}

void Session::run(const uint8_t* image, float* logits, Watcher watch, void* context) {
  pool_.notice_fork();
  values_.front().data = const_cast<uint8_t*>(image);  // which only Tensor makes writable
  for (size_t i = 0; i < tilings_.size(); ++i) {
    const Group& group = plan_.groups()[i];
    run_group(group, tilings_[i]);
    if (!watch) continue;
    for (const int number : group.stored) {
      const Tensor& given = value(number);
      if (given.type.kind == packed::Kind::real)
        unite_nans(given.reals(), given.type.shape.count());
    }
    watch(context, *this, group);
  }
  const Tensor& last = values_.back();
  std::memcpy(logits, last.data, last.type.bytes());
  unite_nans(logits, last.type.shape.count());
}

}  // namespace lowbit::runtime
