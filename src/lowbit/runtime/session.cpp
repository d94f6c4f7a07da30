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
  for (size_t i = 0; i < network.types().size(); ++i) {
    const std::optional<size_t>& place = plan.places()[i];
    values_.push_back({network.types()[i], place ? memory_.data() + *place : nullptr});
  }
}

void Session::run_group(const Group& group) {
  const int height = network_.types()[static_cast<size_t>(group.steps.back()) + 1].shape.height;
  // Two parts for each thread, so that one that is held up does not hold up the others for long.
  const int threads = pool_.threads(), parts = threads == 1 ? 1 : 2 * threads;
  int rows = (height + parts - 1) / parts;
  if (group.chain) rows = std::min(rows, group.chain->block_rows());
  pool_.each((height + rows - 1) / rows, [&](int part, int thread) {
    const Rows some{part * rows, std::min(part * rows + rows, height)};
    if (group.chain)
      group.chain->run(values_, some,
                       scratch_.data() + static_cast<size_t>(thread) * scratch_bytes_);
    else if (group.windows)
      group.windows->run(values_, some);
    else
      run_step(network_, group.steps.front(), values_, some);
  });
}

void Session::run(const uint8_t* image, float* logits, Watcher watch, void* context) {
  values_.front().data = const_cast<uint8_t*>(image);  // which only Tensor makes writable
  for (const Group& group : plan_.groups()) {
    run_group(group);
    if (watch) watch(context, *this, group);
  }
  std::memcpy(logits, values_.back().data, values_.back().type.bytes());
}

}  // namespace lowbit::runtime
