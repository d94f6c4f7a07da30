#include "lowbit/train/step.h"

#include <algorithm>

#include "lowbit/core/log.h"

namespace lowbit::train {
namespace {

torch::Tensor teacher_logits(models::Network* teacher, const torch::Tensor& images) {
  const torch::NoGradGuard no_grad;
  return teacher ? teacher->forward(images) : torch::Tensor();
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
  // autograd::grad, unlike backward(), leaves no accumulator behind that a capture would meet
  // again.
  const std::vector<torch::Tensor> gradients = torch::autograd::grad(
      {parts.update.scale(loss)}, parts.update.parameters(), /*grad_outputs=*/{},
      /*retain_graph=*/false, /*create_graph=*/false, /*allow_unused=*/true);
  parts.update.apply(gradients, parts.totals.halted());
}

void validate_on(models::Network& network, EpochTotals& totals, data::BatchSource& source,
                 const Batch& batch) {
  const torch::NoGradGuard no_grad;
  source.assemble(batch.images, batch.targets);
  const torch::Tensor logits = network.forward(batch.images);
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

torch::Tensor first_images(data::BatchSource& source, const StepOptions& options, int64_t count) {
  StepOptions precise = options;
  if (options.compute_type != torch::kFloat64) precise.compute_type = torch::kFloat32;
  const Batch batch = make_batch(std::min(count, source.size()), source, precise);
  source.start_epoch(0);
  source.assemble_at(0, batch.images, batch.targets);
  return batch.images;
}

void warn_of_skipped(data::BatchSource& source, const std::string& pass) {
  const data::Skipped skipped = source.take_skipped();
  if (skipped.count > 0)
    core::log().warn("{}: damaged images skipped, each replaced by the next one: {}; first {}",
                     pass, skipped.count, skipped.first);
}

std::string where_not_finite(models::Network& network, data::BatchSource& source,
                             const StepOptions& options, int64_t first, int64_t size) {
  const torch::NoGradGuard no_grad;
  const Batch batch = make_batch(size, source, options);
  source.assemble_at(first, batch.images, batch.targets);
  const std::string layer = network.first_non_finite_layer(batch.images);
  return layer.empty() ? "the loss itself" : "layer '" + layer + "'";
}

BatchLoop::BatchLoop(data::BatchSource& source, const StepOptions& options,
                     std::function<void(const Batch&)> body, std::vector<torch::Tensor> state)
    : source_(source), options_(options), body_(std::move(body)), state_(std::move(state)) {}

void BatchLoop::run(int64_t position, int64_t size) {
  position_ = position;
  source_.fetch(position, size);
  auto step = steps_.find(size);
  if (step == steps_.end()) {
    auto batch = make_batch(size, source_, options_);
    step = steps_
               .try_emplace(
                   size, [this, batch] { body_(batch); }, options_.capture, state_,
                   [this] { source_.set_cursor(position_); })
               .first;
  }
  step->second.run();
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

BatchLoop training_loop(TrainingParts parts, data::BatchSource& source,
                        const StepOptions& options) {
  return {source, options, [parts, &source](const Batch& batch) { train_on(parts, source, batch); },
          training_state(parts)};
}

BatchLoop validation_loop(models::Network& network, EpochTotals& totals, data::BatchSource& source,
                          const StepOptions& options) {
  return {source, options,
          [&network, &totals, &source](const Batch& batch) {
            validate_on(network, totals, source, batch);
          },
          forward_state(network, totals)};
}

}  // namespace lowbit::train
