#include "lowbit/runtime/session.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "lowbit/runtime/reference.h"

namespace lowbit::runtime {
namespace {

constexpr std::align_val_t kAlignment{64};

// The rows that the pool needs, a few at a time; what the next ones need, too, is kept.
void run_band(const Group& group, std::span<Tensor> values, Rows rows, std::byte* scratch) {
  Tensor& between = values[static_cast<size_t>(group.before_pool())];
  between.data = scratch + aligned(group.chain->scratch_bytes());
  const Channels channels{0, between.type.shape.channels};
  int known = 0;  // the rows before are computed
  for (int y = rows.first; y < rows.last; y += group.band_rows()) {
    const Rows some{y, std::min(y + group.band_rows(), rows.last)};
    const Rows needed = group.windows->rows_under(some);
    if (known > needed.first)
      std::memmove(between.data, between.row(needed.first),
                   static_cast<size_t>(between.row(known) - between.row(needed.first)));
    between.first_row = needed.first;
    group.chain->run(values, {std::max(known, needed.first), needed.last}, channels, scratch);
    group.windows->run(values, some);
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

void run_part(const Network& network, const Group& group, const Parts& parts, int part,
              std::span<Tensor> values, std::byte* scratch) {
  const Rows rows = parts.rows(part);
  if (group.has_band())
    run_band(group, values, rows, scratch);
  else if (group.chain)
    group.chain->run(values, rows, parts.channels(part), scratch);
  else if (group.windows)
    group.windows->run(values, rows);
  else
    run_step(network, group.steps.front(), group.weights, values, rows);
}

Session::Session(const Network& network, const Plan& plan, int threads)
    : network_(network),
      plan_(plan),
      scratch_bytes_(plan.scratch_bytes()),
      bytes_(plan.bytes() + scratch_bytes_ * static_cast<size_t>(threads)),
      memory_(plan.bytes()),
      scratch_(scratch_bytes_ * static_cast<size_t>(threads)),
      values_(static_cast<size_t>(threads), values_in(network, plan, memory_.data())),
      pool_(threads) {
  for (const Group& group : plan.groups()) parts_.emplace_back(network, group, threads);
}

void Session::run_group(const Group& group, const Parts& parts) {
  pool_.each(parts.count(), [&](int part, int thread) {
    const auto own = static_cast<size_t>(thread);
    run_part(network_, group, parts, part, values_[own], scratch_.data() + own * scratch_bytes_);
  });
}

void Session::run(const uint8_t* image, float* logits, Watcher watch, void* context) {
  for (std::vector<Tensor>& values : values_)
    values.front().data = const_cast<uint8_t*>(image);  // which only Tensor makes writable
  for (size_t i = 0; i < parts_.size(); ++i) {
    const Group& group = plan_.groups()[i];
    run_group(group, parts_[i]);
    if (watch) watch(context, *this, group);
  }
  const Tensor& last = values_.front().back();
  std::memcpy(logits, last.data, last.type.bytes());
}

}  // namespace lowbit::runtime
