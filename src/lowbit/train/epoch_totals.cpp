#include "lowbit/train/epoch_totals.h"

#include <cstring>

#include "lowbit/core/error.h"
#include "lowbit/distributed/group_scope.h"
#include "lowbit/tensor/tensor.h"

#ifdef LOWBIT_CUDA
#include <ATen/cuda/CUDAEvent.h>
#endif

namespace lowbit::train {

static_assert(sizeof(kernels::Totals) == 4 * sizeof(double));

// A place in pinned host memory where a copy of the totals arrives.
struct EpochTotals::Mailbox {
  torch::Tensor totals = torch::zeros({4}, torch::kFloat64);
  torch::Tensor halted = torch::zeros({1}, torch::kFloat32);
  bool under_way = false;
  Reading last{};

#ifdef LOWBIT_CUDA
  at::cuda::CUDAEvent event;
  bool arrived() const {
    return event.query();
  }
#else
  bool arrived() const {
    return true;
  }
#endif
};

namespace {

EpochTotals::Reading to_reading(const torch::Tensor& totals, const torch::Tensor& halted) {
  EpochTotals::Reading reading{};
  std::memcpy(&reading.totals, totals.const_data_ptr<double>(), sizeof reading.totals);
  reading.halted = *halted.const_data_ptr<float>() != 0;
  return reading;
}

}  // namespace

EpochTotals::EpochTotals(torch::Device device)
    : totals_(torch::zeros({4}, torch::dtype(torch::kFloat64).device(device))),
      halted_(torch::zeros({1}, torch::dtype(torch::kFloat32).device(device))),
      mailbox_(std::make_unique<Mailbox>()) {
  if (device.is_cuda()) {
    mailbox_->totals = mailbox_->totals.pin_memory();
    mailbox_->halted = mailbox_->halted.pin_memory();
  }
}

EpochTotals::~EpochTotals() = default;

void EpochTotals::add(const torch::Tensor& logits, const torch::Tensor& targets,
                      const torch::Tensor& loss) {
  distributed::Group* group = distributed::GroupScope::current();
  if (!group) return count(logits, targets, loss, totals_, halted_);
  const torch::NoGradGuard no_grad;
  torch::Tensor batch = torch::zeros({5}, totals_.options());
  const torch::Tensor own = batch.narrow(0, 0, 4), halts = torch::zeros_like(halted_);
  count(logits, targets, loss, own, halts);
  batch.narrow(0, 4, 1).copy_(halts);
  group->sum(batch);
  halted_.copy_(torch::maximum(halted_, batch.narrow(0, 4, 1).gt(0).to(halted_.scalar_type())));
  totals_.add_(own * (1 - halted_));
}

void EpochTotals::count(const torch::Tensor& logits, const torch::Tensor& targets,
                        const torch::Tensor& loss, const torch::Tensor& totals,
                        const torch::Tensor& halted) const {
  const torch::Tensor rows = logits.detach().contiguous();
  kernels::count_batch(tensor::backend(rows.device()),
                       {.logits = rows.const_data_ptr(),
                        .loss = loss.const_data_ptr(),
                        .type = tensor::scalar_type(rows.scalar_type()),
                        .targets = targets.const_data_ptr<int64_t>(),
                        .batch = rows.size(0),
                        .classes = rows.size(1),
                        .totals = reinterpret_cast<kernels::Totals*>(totals.data_ptr<double>()),
                        .halted = halted.data_ptr<float>()},
                       tensor::current_stream(rows.device()));
}

void EpochTotals::reset(const kernels::Totals& totals) {
  totals_.copy_(
      torch::tensor({totals.loss, totals.top1, totals.top5, totals.samples}, torch::kFloat64));
  halted_.zero_();
  mailbox_->last = {totals, false};
  mailbox_->under_way = false;
}

EpochTotals::Reading EpochTotals::read() const {
  return to_reading(totals_.cpu(), halted_.cpu());
}

void EpochTotals::request() {
  if (!totals_.is_cuda()) {
    mailbox_->last = read();
    return;
  }
#ifdef LOWBIT_CUDA
  latest();
  if (mailbox_->under_way) return;
  mailbox_->totals.copy_(totals_, /*non_blocking=*/true);
  mailbox_->halted.copy_(halted_, /*non_blocking=*/true);
  mailbox_->event.record();
  mailbox_->under_way = true;
#endif
}

EpochTotals::Reading EpochTotals::latest() const {
  if (mailbox_->under_way && mailbox_->arrived()) {
    mailbox_->last = to_reading(mailbox_->totals, mailbox_->halted);
    mailbox_->under_way = false;
  }
  return mailbox_->last;
}

}  // namespace lowbit::train
