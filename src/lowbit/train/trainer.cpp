#include "lowbit/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "lowbit/core/error.h"
#include "lowbit/core/interrupt.h"
#include "lowbit/core/log.h"
#include "lowbit/models/factory.h"
#include "lowbit/tensor/tensor.h"
#include "lowbit/train/schedule.h"

namespace lowbit::train {
namespace {

using Clock = std::chrono::steady_clock;

// The options with what the device cannot do replaced.
config::Options fit_to_device(config::Options options, torch::Device device) {
  const bool half = options.train.precision == config::Precision::fp16 ||
                    options.train.precision == config::Precision::bf16;
  if (device.is_cpu() && half) options.train.precision = config::Precision::fp32;
  return options;
}

StepOptions step_options(const config::TrainOptions& options, torch::Device device) {
  return {.device = device,
          .compute_type = compute_type(options.precision),
          .capture = device.is_cuda() && options.step_mode != config::StepMode::eager};
}

void log_load(const LoadReport& report, const std::string& path) {
  core::log().info("loaded {}", path);
  const auto list = [](const char* what, const std::vector<std::string>& names) {
    constexpr size_t kShown = 3;
    if (names.empty()) return;
    const std::vector<std::string> first(names.begin(),
                                         names.begin() + std::min(names.size(), kShown));
    core::log().info("  {} {}: {}{}", names.size(), what, fmt::join(first, " "),
                     names.size() > kShown ? " ... (--verbose lists all)" : "");
    for (const std::string& name : names) core::log().debug("    {}", name);
  };
  list("not in the file, stay at their start", report.stayed);
  list("in the file, left unused", report.unused);
  list("reshaped", report.reshaped);
}

void place(models::Network& network, const config::TrainOptions& options, torch::Device device) {
  network.to(device, parameter_type(options.precision));
  network.use_channels_last();
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

Trainer::Trainer(const config::Configuration& configuration, Observer& observer)
    : device_(choose_device(configuration.options.train)),
      options_(fit_to_device(configuration.options, device_)),
      configuration_(configuration.to_json()),
      observer_(observer),
      scope_(device_, options_.train),
      step_(step_options(options_.train, device_)),
      files_(options_),
      record_(configuration, files_) {
  torch::manual_seed(options_.train.seed);
  network_ = models::make_network(options_.model);
  core::log().info("network: {}", network_->description());
  load_weights();
  place(*network_, options_.train, device_);
  if (options_.data.val_batch >= 1) {
    validation_ = std::make_unique<Validation>(options_, step_);
    check_classes(validation_->class_names());
  }
}

void Trainer::load_weights() {
  if (options_.train.resume) {
    resumed_path_ = find_resume_file(options_).string();
    resumed_ = read_checkpoint(resumed_path_);
    log_load(load_state(*network_, state_dict(*resumed_)), resumed_path_);
  } else if (!options_.train.pretrained.empty()) {
    const std::string path = find_pretrained(options_).string();
    log_load(load_state(*network_, state_dict(read_checkpoint(path))), path);
  }
}

void Trainer::check_classes(const std::vector<std::string>& names) const {
  if (static_cast<int>(names.size()) > options_.model.num_classes)
    throw core::usage_error("data set '{}' has {} classes, the network only {}",
                            options_.data.dataset, names.size(), options_.model.num_classes)
        .detail("give --num_classes, or the keyword of the data set");
}

BatchLoop& Trainer::validation_steps() {
  if (!validation_)
    throw core::usage_error("--val_batch_size {}: there is no validation", options_.data.val_batch);
  if (!validation_steps_) validation_steps_.reset(new BatchLoop(validation_->loop_for(*network_)));
  return *validation_steps_;
}

Accuracy Trainer::evaluate() {
  BatchLoop& steps = validation_steps();
  return validation_->run(*network_, steps, observer_, 0);
}

std::optional<Accuracy> Trainer::full_precision_start() {
  config::ModelOptions plain = options_.model;
  const bool quantized = plain.fm.enable || plain.wt.enable || plain.ot.enable;
  if (options_.train.pretrained.empty() || resumed_ || !quantized || !validation_) return {};
  plain.fm.enable = plain.wt.enable = plain.ot.enable = false;
  const auto network = models::make_network(plain);
  load_state(*network, state_dict(read_checkpoint(find_pretrained(options_))));
  place(*network, options_.train, device_);
  BatchLoop steps = validation_->loop_for(*network);
  return validation_->run(*network, steps, observer_, 0);
}

Trainer::Training::Training(Trainer& trainer)
    : optimizer(group_parameters(trainer.options_.train, *trainer.network_),
                trainer.options_.train),
      scaler(trainer.options_.train.precision == config::Precision::fp16, trainer.device_),
      totals(trainer.device_),
      source(data::load(trainer.options_.data, data::Split::train),
             data::batch_options(trainer.options_.data, data::Split::train,
                                 trainer.options_.train.seed, tensor::backend(trainer.device_),
                                 trainer.device_)),
      loop(training_loop({*trainer.network_, optimizer, scaler, totals}, source, trainer.step_)) {
  trainer.check_classes(source.class_names());
  if (trainer.resumed_)
    position =
        restore_run(*trainer.resumed_, trainer.resumed_path_, *trainer.network_, optimizer, scaler);
}

RunResult Trainer::train() {
  files_.make_folders();
  RunResult result;
  result.full_precision_start = full_precision_start();
  if (result.full_precision_start)
    core::log().info("full precision, as loaded: top1({:.2f}) top5({:.2f})",
                     result.full_precision_start->top1, result.full_precision_start->top5);
  Training training(*this);
  network_->train();
  record_.start(training.position.epoch, result.full_precision_start, *network_,
                statistics_images(training));
  while (training.position.epoch < options_.train.epochs && !result.interrupted) {
    if (train_epoch(training)) {
      finish_epoch(training, result);
    } else {
      save(training, files_.checkpoint);
    }
    result.interrupted = core::interrupted();
  }
  result.best_top1 = training.position.best_top1;
  result.best_epoch = training.position.best_epoch;
  result.images_per_second = median(training.images_per_second);
  return result;
}

torch::Tensor Trainer::statistics_images(Training& training) {
  // Shares of some hundred thousand values per layer: enough to judge by, and quick.
  constexpr int64_t kImages = 16;
  return validation_ ? validation_->first_images(kImages)
                     : first_images(training.source, step_, kImages);
}

bool Trainer::train_epoch(Training& training) {
  RunPosition& position = training.position;
  const int64_t size = training.source.size(), batch = options_.data.train_batch;
  const double samples_before = position.totals.samples;
  training.optimizer.set_learning_rate(learning_rate(options_.train, position.epoch));
  network_->set_proxquant(proxquant(options_.train, options_.model.proxquant_step, position.epoch));
  training.source.start_epoch(position.epoch);
  training.source.set_cursor(position.samples);
  training.totals.reset(position.totals);

  const auto start = Clock::now();
  for (int64_t iteration = 1; position.samples < size && !core::interrupted(); ++iteration) {
    const int64_t samples = std::min(batch, size - position.samples);
    training.loop.run(position.samples, samples);
    position.samples += samples;
    if (iteration % options_.train.report_freq == 0)
      report(training, Clock::now() - start, samples_before);
  }
  const EpochTotals::Reading reading = training.totals.read();
  const std::chrono::duration<double> seconds = Clock::now() - start;
  observer_.on_pass_end();
  if (const std::string trouble = network_->quantizer_trouble(); !trouble.empty())
    core::warn_once(trouble);
  if (reading.halted) explain_halt(training, reading.totals);
  position.totals = reading.totals;
  if (position.samples < size) return false;
  training.images_per_second.push_back((reading.totals.samples - samples_before) / seconds.count());
  return true;
}

void Trainer::report(Training& training, std::chrono::duration<double> seconds,
                     double samples_before) {
  training.totals.request();
  const EpochTotals::Reading seen = training.totals.latest();
  if (seen.halted) explain_halt(training, training.totals.read().totals);
  observer_.on_progress(
      {.training = true,
       .epoch = training.position.epoch,
       .epochs = options_.train.epochs,
       .samples = static_cast<int64_t>(seen.totals.samples),
       .total = training.source.size(),
       .images_per_second = (seen.totals.samples - samples_before) / seconds.count(),
       .loss = to_accuracy(seen.totals).loss});
}

void Trainer::explain_halt(Training& training, const kernels::Totals& totals) {
  // Totals and weights stand where they stood before the batch that failed: run it again and look.
  const auto first = static_cast<int64_t>(totals.samples);
  const int64_t samples =
      std::min<int64_t>(options_.data.train_batch, training.source.size() - first);
  throw core::failure("the loss is not finite in epoch {}, iteration {}: first in {}",
                      training.position.epoch, first / options_.data.train_batch,
                      where_not_finite(*network_, training.source, step_, first, samples))
      .detail("a lower --lr often helps; the checkpoint of the epoch before is unharmed");
}

void Trainer::finish_epoch(Training& training, RunResult& result) {
  RunPosition& position = training.position;
  const int epoch = position.epoch;
  core::log().info("[epoch {}]: train_loss {:.4f}, {:.0f} images/s, lr {:.6g}", epoch,
                   to_accuracy(position.totals).loss, training.images_per_second.back(),
                   learning_rate(options_.train, epoch));
  bool best = false;
  if (validation_) {
    result.last = evaluate();
    best = result.last->top1 > position.best_top1;
    if (best) {
      position.best_top1 = result.last->top1;
      position.best_epoch = epoch;
    }
    core::log().info("[epoch {}]: test_acc {:.2f} {:.2f}, best {:.2f}", epoch, result.last->top1,
                     result.last->top5, position.best_top1);
  }
  record_.add({.epoch = epoch,
               .learning_rate = learning_rate(options_.train, epoch),
               .training = to_accuracy(position.totals),
               .validation = result.last,
               .best_top1 = position.best_top1,
               .images_per_second = training.images_per_second.back(),
               .loss_scale = training.scaler.factor().item<double>()},
              *network_);
  position.epoch = epoch + 1;
  position.samples = 0;
  position.totals = {};
  save(training, files_.checkpoint);
  if (best && epoch > options_.train.epochs / 2) save(training, files_.best);
  if (keeps_copy(options_.train, epoch)) save(training, files_.copy(epoch + 1));
}

void Trainer::save(const Training& training, const std::filesystem::path& path) const {
  const int rated = std::min(training.position.epoch, std::max(options_.train.epochs - 1, 0));
  write_checkpoint(path,
                   checkpoint_of(*network_, training.optimizer, training.scaler, training.position,
                                 {configuration_, training.source.class_names()},
                                 learning_rate(options_.train, rated)));
}

}  // namespace lowbit::train
