#include "lowbit/train/step.h"

#include <torch/autograd.h>

#include <algorithm>

#include "lowbit/core/log.h"
#include "lowbit/distributed/group_scope.h"

namespace lowbit::train {
namespace {

torch::Tensor teacher_logits(models::Network* teacher, const torch::Tensor& images) {
  const torch::NoGradGuard no_grad;
  return teacher ? teacher->forward(images, exec::Arithmetic::whole_numbers) : torch::Tensor();
}

// autograd::grad, unlike backward(), leaves no accumulator behind that a capture would meet again.
std::vector<torch::Tensor> gradients_of(const TrainingParts& parts, const torch::Tensor& loss,
                                        const Batch& batch) {
  if (parts.buckets) return parts.buckets->gradients(loss * batch.weight);
  return torch::autograd::grad({loss}, parts.update.parameters(), /*grad_outputs=*/{},
                               /*retain_graph=*/false, /*create_graph=*/false,
                               /*allow_unused=*/true);
}

// One training step in the order in which it happens. Nothing here waits for the device.
void train_on(const TrainingParts& parts, data::BatchSource& source, const Batch& batch) {
  source.assemble(batch.images, batch.targets);
  const torch::Tensor images = parts.mixup ? parts.mixup->mix(batch.images) : batch.images;
  const Labels labels =
      parts.mixup ? parts.mixup->mix_labels(batch.targets) : Labels{batch.targets, {}, {}};
  const torch::Tensor logits = parts.network.forward(images);
  torch::Tensor loss =
      training_loss(parts.options, logits, labels, teacher_logits(parts.teacher, images));
  if (const torch::Tensor quantization = parts.network.quantization_loss(); quantization.defined())
    loss = loss + quantization;
  // Before the update: a loss that is not finite also keeps the update from happening.
  parts.totals.add(logits, batch.targets, loss.detach());
  parts.update.apply(gradients_of(parts, parts.update.scale(loss), batch), parts.totals.halted());
}

void validate_on(models::Network& network, EpochTotals& totals, data::BatchSource& source,
                 const Batch& batch) {
  const torch::NoGradGuard no_grad;
  source.assemble(batch.images, batch.targets);
  const torch::Tensor logits = network.forward(batch.images, exec::Arithmetic::whole_numbers);
  totals.add(logits, batch.targets, cross_entropy(logits, batch.targets));
}

// What any forward pass may change, counters in evaluation mode included.
std::vector<torch::Tensor> forward_state(const models::Network& network,
                                         const EpochTotals& totals) {
  std::vector<torch::Tensor> state = network.buffers();
  for (const torch::Tensor& parameter : network.parameters()) state.push_back(parameter);
  state.push_back(totals.totals_tensor());
  state.push_back(totals.halted());
  return state;
}

}  // namespace

Batch make_batch(int64_t size, const data::BatchSource& source, const StepOptions& options) {
  const auto image_type = torch::dtype(options.compute_type).device(options.device);
  return {torch::empty({size, 3, source.height(), source.width()},
                       image_type.memory_format(torch::MemoryFormat::ChannelsLast)),
          torch::empty({size}, torch::dtype(torch::kInt64).device(options.device))};
}

torch::Tensor first_images(data::BatchSource& source, const StepOptions& options, int64_t batch,
                           int64_t count) {
  StepOptions precise = options;
  if (options.compute_type != torch::kFloat64) precise.compute_type = torch::kFloat32;
  const distributed::Shard shard = options.shard(batch);
  const int64_t rest = source.size() % batch;
  const int64_t own =
      shard.place_of(source.size() - rest) + (rest > 0 ? shard.share_of(rest).count : 0);
  const Batch first = make_batch(std::min(count, own), source, precise);
  source.start_epoch(0);
  source.assemble_at(0, first.images, first.targets);
  source.take_skipped();  // the epochs count them
  return first.images;
}

void warn_of_skipped(data::BatchSource& source, const StepOptions& options,
                     const std::string& pass) {
  data::Skipped skipped = source.take_skipped();
  if (options.group)
    skipped = {options.group->sum(skipped.count), options.group->first_text(skipped.first)};
  if (skipped.count > 0)
    core::log().warn("{}: damaged images skipped, each replaced by the next one: {}; first {}",
                     pass, skipped.count, skipped.first);
}

std::string where_not_finite(models::Network& network, data::BatchSource& source,
                             const StepOptions& options, int64_t batch, int64_t first) {
  const torch::NoGradGuard no_grad;
  const distributed::Shard shard = options.shard(batch);
  const int64_t count = shard.share_of(std::min(batch, source.size() - first)).count;
  const Batch own = make_batch(count, source, options);
  source.assemble_at(shard.place_of(first), own.images, own.targets);
  std::string layer = network.first_non_finite_layer(own.images);
  if (options.group) layer = options.group->first_text(layer);
  return layer.empty() ? "the loss itself" : "layer '" + layer + "'";
}

distributed::Shard StepOptions::shard(int64_t batch) const {
  if (!group) return {};
  return {group->rank(), group->size(), batch};
}

BatchLoop::BatchLoop(data::BatchSource& source, const StepOptions& options, int64_t batch,
                     std::function<void(const Batch&)> body, std::vector<torch::Tensor> state)
    : source_(source),
      options_(options),
      shard_(options.shard(batch)),
      body_(std::move(body)),
      state_(std::move(state)) {}

void BatchLoop::set_position(int64_t position) {
  source_.set_cursor(shard_.place_of(position));
}

void BatchLoop::run(int64_t position, int64_t size) {
  const distributed::Share share = shard_.share_of(size);
  place_ = shard_.place_of(position);
  source_.fetch(place_, share.count);
  auto step = steps_.find(size);
  if (step == steps_.end()) {
    Batch batch = make_batch(share.count, source_, options_);
    batch.weight = share.whole ? 1.0 / shard_.count
                               : static_cast<double>(share.count) / static_cast<double>(size);
    step = steps_
               .try_emplace(
                   size, [this, batch, alone = share.whole] { run_body(batch, alone); },
                   options_.capture, state_, [this] { source_.set_cursor(place_); })
               .first;
  }
  step->second.run();
}

// alone: every process has the whole batch.
void BatchLoop::run_body(const Batch& batch, bool alone) {
  const distributed::GroupScope scope(alone ? nullptr : options_.group, options_.sync_batch_norm);
  body_(batch);
}

void BatchLoop::start_over(std::vector<torch::Tensor> state) {
  steps_.clear();
  state_ = std::move(state);
}

std::vector<torch::Tensor> training_state(const TrainingParts& parts) {
  std::vector<torch::Tensor> state = forward_state(parts.network, parts.totals);
  for (const torch::Tensor& tensor : parts.update.state()) state.push_back(tensor);
  // Of the teacher, counters of passes.
  if (parts.teacher)
    for (const quant::Quantizer* quantizer : parts.teacher->quantizers())
      state.push_back(quantizer->iteration());
  return state;
}

BatchLoop training_loop(TrainingParts parts, data::BatchSource& source, const StepOptions& options,
                        int64_t batch_size) {
  return {source, options, batch_size,
          [parts, &source](const Batch& batch) { train_on(parts, source, batch); },
          training_state(parts)};
}

BatchLoop validation_loop(models::Network& network, EpochTotals& totals, data::BatchSource& source,
                          const StepOptions& options, int64_t batch_size) {
  return {source, options, batch_size,
          [&network, &totals, &source](const Batch& batch) {
            validate_on(network, totals, source, batch);
          },
          forward_state(network, totals)};
}

}  // namespace lowbit::train
