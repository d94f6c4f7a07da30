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

Session::Session(const Network& network, const Plan& plan, int threads)
    : network_(network),
      plan_(plan),
      scratch_bytes_(plan.scratch_bytes()),
      bytes_(plan.bytes() + scratch_bytes_ * static_cast<size_t>(threads)),
      memory_(plan.bytes()),
      scratch_(scratch_bytes_ * static_cast<size_t>(threads)),
      pool_(threads) {
  for (const Group& group : plan.groups()) parts_.emplace_back(network, group, threads);
  for (size_t i = 0; i < network.types().size(); ++i) {
    const std::optional<size_t>& place = plan.places()[i];
    values_.push_back({network.types()[i], place ? memory_.data() + *place : nullptr});
  }
}

void Session::run_group(const Group& group, const Parts& parts) {
  pool_.each(parts.count(), [&](int part, int thread) {
    const Rows rows = parts.rows(part);
    if (group.chain)
      group.chain->run(values_, rows, parts.channels(part),
                       scratch_.data() + static_cast<size_t>(thread) * scratch_bytes_);
    else if (group.windows)
      group.windows->run(values_, rows);
    else
      run_step(network_, group.steps.front(), group.weights, values_, rows);
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
