#include "lowbit/runtime/session.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "lowbit/runtime/reference.h"

namespace lowbit::runtime {
namespace {

constexpr std::align_val_t kAlignment{64};

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
              std::span<const Tensor> values, std::byte* scratch) {
  const Rows rows = parts.rows(part);
  if (group.chain)
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
      values_(values_in(network, plan, memory_.data())),
      pool_(threads) {
  for (const Group& group : plan.groups()) parts_.emplace_back(network, group, threads);
}

void Session::run_group(const Group& group, const Parts& parts) {
  pool_.each(parts.count(), [&](int part, int thread) {
    run_part(network_, group, parts, part, values_,
             scratch_.data() + static_cast<size_t>(thread) * scratch_bytes_);
  });
}

void Session::run(const uint8_t* image, float* logits, Watcher watch, void* context) {
  values_.front().data = const_cast<uint8_t*>(image);  // which only Tensor makes writable
  for (size_t i = 0; i < parts_.size(); ++i) {
    const Group& group = plan_.groups()[i];
    run_group(group, parts_[i]);
    if (watch) watch(context, *this, group);
  }
  std::memcpy(logits, values_.back().data, values_.back().type.bytes());
}

}  // namespace lowbit::runtime
