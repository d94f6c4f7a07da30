#include "lowbit/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/core/interrupt.h"
#include "lowbit/core/log.h"
#include "lowbit/data/labels.h"
#include "lowbit/data/packed_index.h"
#include "lowbit/distributed/equality.h"
#include "lowbit/models/evaluation.h"
#include "lowbit/models/factory.h"
#include "lowbit/models/policy.h"
#include "lowbit/optim/schedule.h"
#include "lowbit/run/changed_options.h"
#include "lowbit/run/foreign_run.h"
#include "lowbit/run/loaded_network.h"
#include "lowbit/tensor/tensor.h"
#include "lowbit/train/network_check.h"
#include "lowbit/train/probe.h"
#include "lowbit/train/teacher.h"

namespace lowbit::train {
namespace {

using Clock = std::chrono::steady_clock;

int64_t batches_of(int64_t samples, int64_t batch) {
  return (samples + batch - 1) / batch;
}

std::unique_ptr<data::BatchSource> open_training_set(const config::Options& options,
                                                     torch::Device device,
                                                     const distributed::Group* group) {
  return data::open_batches(options.data, data::Split::train, options.train.seed,
                            tensor::backend(device), device, group ? group->rank() : 0,
                            group ? group->size() : 1);
}

// The training set where the network depends on its size: where a warm-up of quantizers is given in
// epochs; else null. A run that only evaluates has none, as it need not have the training set.
std::unique_ptr<data::BatchSource> needed_training_set(const config::Options& options,
                                                       torch::Device device,
                                                       const distributed::Group* group) {
  const auto in_epochs = [&](config::Tag tag) {
    return options.model.tag(tag).stable == config::kStableOfEpochs;
  };
  const bool needed =
      in_epochs(config::Tag::fm) || in_epochs(config::Tag::wt) || in_epochs(config::Tag::ot);
  if (!needed || options.train.evaluate) return nullptr;
  return open_training_set(options, device, group);
}

// The options with what the device cannot do replaced, and that warm-up settled.
config::Options settled(config::Options options, torch::Device device,
                        const data::BatchSource* training_set) {
  const bool half = options.train.precision == config::Precision::fp16 ||
                    options.train.precision == config::Precision::bf16;
  if (device.is_cpu() && half) options.train.precision = config::Precision::fp32;
  if (training_set)
    optim::settle_stable(options.model, options.train.stable_epoch,
                         batches_of(training_set->size(), options.data.train_batch));
  return options;
}

// As checkpoints hold it. A run that was resumed is the same run; and a checkpoint may be used in
// another folder than the run's.
std::string stored(config::Configuration configuration) {
  std::vector<std::string>& words = configuration.arguments;
  std::erase(words, "--resume");
  if (const auto file = std::ranges::find(words, "--resume_file"); file != words.end())
    words.erase(file, file + 2);
  if (const auto root = std::ranges::find(words, "--root");
      words.end() - root > 1 && !root[1].empty())
    root[1] = std::filesystem::absolute(root[1]).lexically_normal().string();
  return configuration.to_json();
}

StepOptions step_options(const config::TrainOptions& options, torch::Device device,
                         distributed::Group* group) {
  return {.device = device,
          .compute_type = compute_type(options.precision),
          .capture = device.is_cuda() && options.step_mode != config::StepMode::eager,
          .group = group,
          .sync_batch_norm = options.sync_bn};
}

void log_load(const checkpoint::LoadReport& report, const std::string& path) {
  core::log().info("loaded {}", path);
  if (!report.prefix.empty())
    core::log().info("  without the prefix '{}' of its names", report.prefix);
  if (!report.shadowed.empty())
    core::log().warn(
        "{}: passes over '{}' and {} more entries that are there under another prefix, "
        "too",
        path, report.shadowed[0], report.shadowed.size() - 1);
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

// Quantizers go on counting where the file's stood.
void warn_of_ended_warm_up(const models::Network& network, const std::string& path) {
  int ended = 0;
  for (const quant::Quantizer* quantizer : network.quantizers()) {
    const int stable = quantizer->options().stable;
    ended += stable > 0 && quantizer->iteration().item<double>() >= stable;
  }
  if (ended > 0)
    core::log().warn(
        "{}: the warm-up (--stable) of {} quantizers is over in it; --re_init begins it anew", path,
        ended);
}

void place(models::Network& network, const config::TrainOptions& options, torch::Device device) {
  network.to(device, parameter_type(options.precision));
  network.use_channels_last();
}

// Waits as long as --delay says, a signal cuts it short.
void pause(double seconds) {
  constexpr std::chrono::duration<double> longest(0.05);
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  for (auto left = end - Clock::now(); left.count() > 0 && !core::interrupted();
       left = end - Clock::now())
    std::this_thread::sleep_for(std::min<std::chrono::duration<double>>(left, longest));
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

Trainer::Trainer(const config::Configuration& configuration, run::Observer& observer)
    : Trainer(configuration, observer, run::find_start(configuration.options)) {}

Trainer::Trainer(const config::Configuration& configuration, run::Observer& observer,
                 run::RunStart start, distributed::Group* group)
    : group_(group),
      device_(group ? group->device() : choose_device(configuration.options.train)),
      training_set_(needed_training_set(configuration.options, device_, group)),
      options_(settled(configuration.options, device_, training_set_.get())),
      configuration_(stored(configuration)),
      observer_(observer),
      scope_(device_, options_.train),
      step_(step_options(options_.train, device_, group)),
      files_(options_),
      record_(configuration, files_),
      start_(std::move(start)) {
  torch::manual_seed(options_.train.seed);
  network_ = models::make_network(options_.model);
  core::log().info("network: {}", network_->description());
  place(*network_, options_.train, device_);
  load_weights();
  if (options_.data.val_batch >= 1) {
    validation_ = std::make_unique<Validation>(options_, step_);
    agree_on_set("validation", validation_->source());
    check_classes(validation_->class_names());
    if (options_.train.evaluate)
      data::require_classes_of(loaded_classes_, validation_->class_names(), "checkpoint");
  }
}

void Trainer::agree_on_set(const char* name, const data::BatchSource& source) const {
  if (!group_) return;
  group_->agree(
      {{fmt::format("number of {} images", name), fmt::format("{}", source.size())},
       {fmt::format("checksum of the {} set", name), fmt::format("{:016x}", source.checksum())}});
}

void Trainer::agree_on_weights() const {
  if (!group_) return;
  std::string sums;
  for (const auto& [name, tensor] : network_->state()) {
    const torch::Tensor host = tensor.cpu().contiguous();
    sums += fmt::format(
        "{} {:x}\n", name,
        data::checksum_of({static_cast<const char*>(host.const_data_ptr()), host.nbytes()}));
  }
  group_->agree(
      {{"checksum of the weights to begin with", fmt::format("{:016x}", data::checksum_of(sums))}});
}

void Trainer::load_weights() {
  if (!start_.warning.empty()) core::log().warn(start_.warning);
  if (start_.checkpoint) {
    if (!options_.train.pretrained.empty())
      core::log().info("--pretrained is not read: the run goes on from {}", start_.path.string());
    models::apply_policy_until(*network_, run::policy_epoch_of(*start_.checkpoint));
    load(*start_.checkpoint, start_.path.string(),
         options_.train.resume && !options_.train.evaluate ? run::LoadPurpose::resume
                                                           : run::LoadPurpose::evaluate);
    return;
  }
  if (options_.train.resume)
    core::log().info("-r: there is no {} yet: the run begins at its start",
                     files_.checkpoint.string());
  if (options_.train.pretrained.empty()) return agree_on_weights();
  const std::string path = run::find_pretrained(options_).string();
  const checkpoint::Value file = checkpoint::read_checkpoint(path);
  // To evaluate a network is to see it as it was when it was saved.
  if (options_.train.evaluate) models::apply_policy_until(*network_, run::policy_epoch_of(file));
  load(file, path, options_.train.evaluate ? run::LoadPurpose::evaluate : run::LoadPurpose::start);
  if (options_.train.re_init) network_->restart_quantizers();
  if (!options_.train.evaluate) warn_of_ended_warm_up(*network_, path);
}

void Trainer::load(const checkpoint::Value& file, const std::string& path,
                   run::LoadPurpose purpose) {
  if (run::has_description(file)) {
    const run::Description description = run::description_of(file, path);
    loaded_classes_ = description.class_names;
    for (const std::string& change :
         run::changed_options(description.configuration, configuration_, purpose))
      core::log().info("{}: another option than in its run: {}", path, change);
  }
  loaded_file_ = path;
  loaded_ = run::load_state(*network_, file, scope_of_loading(), path);
  log_load(loaded_, path);
  run::require_finite(*network_, path);
  agree_on_weights();
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
  if (!validation_steps_)
    validation_steps_.reset(new BatchLoop(validation_->loop_for(*network_, step_)));
  return *validation_steps_;
}

run::Accuracy Trainer::evaluate() {
  BatchLoop& steps = validation_steps();
  const models::Evaluation evaluation(*network_);
  return validation_->run(*network_, steps, observer_, 0);
}

std::optional<run::Accuracy> Trainer::full_precision_start() {
  const config::ModelOptions& model = options_.model;
  const bool quantized = model.fm.enable || model.wt.enable || model.ot.enable;
  if (options_.train.pretrained.empty() || start_.checkpoint || !quantized || !validation_)
    return {};
  const auto network = models::make_network(models::full_precision(model));
  const std::string path = run::find_pretrained(options_).string();
  run::load_state(*network, checkpoint::read_checkpoint(path), scope_of_loading(), path);
  place(*network, options_.train, device_);
  // Not in half precision: without its quantizers a network made for them (Bi-Real has no ReLU)
  // may well leave that range, which says nothing about the training.
  StepOptions step = step_;
  step.compute_type = parameter_type(options_.train.precision);
  BatchLoop steps = validation_->loop_for(*network, step);
  try {
    return validation_->run(*network, steps, observer_, 0);
  } catch (const core::Error& error) {
    core::log().warn("in full precision, as loaded: {}", error.what());
    return {};
  }
}

std::shared_ptr<models::Network> Trainer::teacher() const {
  if (options_.train.distill_teacher.empty()) return nullptr;
  const auto network = make_teacher(options_);
  core::log().info("teacher: {}", network->description());
  place(*network, options_.train, device_);
  return network;
}

Trainer::Training::Training(Trainer& trainer)
    : optimizer(
          optim::make_optimizer(optim::group_parameters(trainer.options_.train, *trainer.network_),
                                trainer.options_.train)),
      scaler(trainer.options_.train.precision == config::Precision::fp16, trainer.device_),
      totals(trainer.device_),
      source(trainer.training_set_
                 ? std::move(trainer.training_set_)
                 : open_training_set(trainer.options_, trainer.device_, trainer.group_)),
      update(*optimizer, scaler, trainer.options_.train,
             batches_of(source->size(), trainer.options_.data.train_batch)),
      mixup(trainer.options_.data.mixup_enable
                ? std::optional<Mixup>(std::in_place, trainer.options_.data.mixup_alpha,
                                       trainer.options_.train.seed,
                                       trainer.options_.data.train_batch, trainer.device_)
                : std::nullopt),
      teacher(trainer.teacher()),
      buckets(trainer.group_ ? std::optional<optim::GradientBuckets>(std::in_place, *trainer.group_,
                                                                     update.parameters())
                             : std::nullopt),
      loop(
          training_loop(parts(trainer), *source, trainer.step_, trainer.options_.data.train_batch)),
      saved(trainer.files_, trainer.start_),
      save_clock(trainer.options_.train.save_every) {
  trainer.check_classes(source->class_names());
  trainer.agree_on_set("training", *source);
  require_statistics(*trainer.network_, *source, trainer.options_.data.train_batch, trainer.step_);
  if (trainer.start_.checkpoint) position = trainer.restore(*this);
  if (trainer.group_) {
    trainer.group_->agree({{"epoch to go on with", fmt::format("{}", position.epoch)},
                           {"image to go on with", fmt::format("{}", position.samples)}});
  }
  if (trainer.group_) trainer.group_->take_from_first(training_state(parts(trainer)));
}

TrainingParts Trainer::Training::parts(Trainer& trainer) {
  return {.network = *trainer.network_,
          .update = update,
          .totals = totals,
          .options = trainer.options_.train,
          .mixup = mixup ? &*mixup : nullptr,
          .teacher = teacher.get(),
          .buckets = buckets ? &*buckets : nullptr};
}

run::RunPosition Trainer::restore(Training& training) const {
  const checkpoint::Value& checkpoint = *start_.checkpoint;
  const std::string path = start_.path.string();
  const bool ours = run::has_description(checkpoint);
  if (ours && scope_of_loading().takes_all() && !loaded_.stayed.empty())
    throw core::failure("it lacks '{}' and {} more entries of the network", loaded_.stayed[0],
                        loaded_.stayed.size() - 1)
        .at(path)
        .detail(
            "a run goes on with its own network; --pretrained starts a new run from its weights");
  const run::RunPosition position =
      ours ? run::restore_run(checkpoint, path, training.update)
           : run::restore_foreign_run(checkpoint, path, *network_, training.update);
  if (group_ && position.samples % options_.data.train_batch != 0)
    throw core::usage_error(
        "--batch_size {}: the run was saved at image {} of an epoch, between two of these batches",
        options_.data.train_batch, position.samples)
        .detail("several processes go on within an epoch with the batch size it began with");
  // What is gathered about rescaled clip values is out of date.
  for (const auto& [quantizer, had] : loaded_.overruled)
    for (const auto& item : network_->named_parameters())
      if (item.key().starts_with(quantizer + ".")) training.optimizer->clear_momentum(item.value());
  if (position.epoch >= optim::total_epochs(options_.train))
    core::log().info("all {} epochs are trained already", optim::total_epochs(options_.train));
  else
    core::log().info("going on in epoch {}, at image {}", position.epoch, position.samples);
  return position;
}

bool Trainer::decides_behind(int64_t step) const {
  // The hosts' exchange takes a tenth of a millisecond.
  constexpr int64_t kStepsOfGpu = 16;
  return !group_ || device_.is_cpu() || step % kStepsOfGpu == 0;
}

bool Trainer::save_is_due(Training& training, int64_t step) const {
  if (options_.train.save_every.steps > 0) return training.save_clock.is_due(step);
  if (options_.train.save_every.seconds == 0 || !decides_behind(step)) return false;
  return together(leads() && training.save_clock.is_due(step)) != 0;
}

void Trainer::share_statistics() const {
  if (group_ && !options_.train.sync_bn) group_->take_from_first(network_->buffers());
}

void Trainer::check_equal(const Training& training) const {
  if (!group_) return;
  checkpoint::NamedTensors tensors = checkpoint::named_tensors(*network_);
  if (!options_.train.sync_bn)
    std::erase_if(tensors, [](const auto& item) {
      return item.first.ends_with(".running_mean") || item.first.ends_with(".running_var");
    });
  for (const optim::Optimizer::State& state : training.optimizer->state())
    for (size_t i = 0; i < state.tensors.size(); ++i)
      tensors.emplace_back(fmt::format("{} of {}", state.name, training.optimizer->names()[i]),
                           state.tensors[i]);
  distributed::check_equal(*group_, tensors);
}

void Trainer::save(Training& training) const {
  check_equal(training);
  if (leads()) training.saved.save(state(training));
}

run::RunResult Trainer::train(const std::function<void()>& before_epochs) {
  if (leads()) {
    files_.make_folders();
    if (options_.train.probe) core::make_writable_folder(files_.probe(0).parent_path());
  }
  run::RunResult result;
  Training training(*this);
  result.full_precision_start = full_precision_start();
  if (result.full_precision_start)
    core::log().info("full precision, as loaded: top1({:.2f}) top5({:.2f})",
                     result.full_precision_start->top1, result.full_precision_start->top5);
  network_->train();
  // From here on -r means this run, not an earlier one of the same name; and a disk that is full is
  // known before the first epoch.
  if (!start_.checkpoint && optim::total_epochs(options_.train) > 0) save(training);
  if (leads()) {
    const torch::Tensor images = statistics_images(training);
    one_sided_ = one_sided_text(images);
    if (!one_sided_.empty()) core::log().warn(one_sided_);
    record_.start(training.position.epoch, result.full_precision_start, *network_, images);
  }
  before_epochs();
  while (training.position.epoch < optim::total_epochs(options_.train) && !result.interrupted) {
    if (train_epoch(training)) {
      finish_epoch(training, result);
    } else {
      save(training);
    }
    result.interrupted = stopped_by_;
  }
  result.best_top1 = training.position.best_top1;
  result.best_epoch = training.position.best_epoch;
  result.images_per_second = median(training.images_per_second);
  return result;
}

void Trainer::apply_policy(Training& training) {
  run::RunPosition& position = training.position;
  if (position.policy_epoch >= position.epoch) return;
  position.policy_epoch = position.epoch;
  const models::PolicyEffect effect =
      models::apply_policy(*network_, config::PolicyEvent::epoch, position.epoch);
  if (!effect.applied) return;
  core::log().info("[epoch {}]: policy applied", position.epoch);
  if (effect.replaced) {
    // Steps refer to what is no longer there.
    synchronize(device_);
    auto optimizer =
        optim::make_optimizer(optim::group_parameters(options_.train, *network_), options_.train);
    optimizer->inherit(*training.optimizer);
    training.update.set_optimizer(*optimizer);
    training.optimizer = std::move(optimizer);
    if (group_) training.buckets.emplace(*group_, training.update.parameters());
    training.loop.start_over(training_state(training.parts(*this)));
    validation_steps_.reset();
  }
  for (const torch::Tensor& parameter : effect.started)
    training.optimizer->clear_momentum(parameter);
}

void Trainer::probe_step(Training& training) {
  const int64_t size = training.source->size(), batch = options_.data.train_batch,
                first = training.position.samples;
  const int64_t iteration = training.position.epoch * batches_of(size, batch) + first / batch;
  const Probe probe(options_.train, *network_);
  if (!probe.wants(iteration)) return;
  // Of several processes the one that leads shows its share.
  if (!leads()) return;
  const distributed::Shard shard = step_.shard(batch);
  const int64_t count = shard.share_of(std::min(batch, size - first)).count;
  const Batch next = make_batch(count, *training.source, step_);
  training.source->assemble_at(shard.place_of(first), next.images, next.targets);
  const std::filesystem::path file = files_.probe(iteration);
  checkpoint::write_checkpoint(file, probe.look(next.images));
  training.loop.set_position(first);
  core::log().info("probe: wrote {}", file.string());
}

torch::Tensor Trainer::statistics_images(Training& training) {
  // Shares of some hundred thousand values per layer: enough to judge by, and quick.
  constexpr int64_t kImages = 16;
  return validation_ ? validation_->first_images(kImages)
                     : first_images(*training.source, step_, options_.data.train_batch, kImages);
}

bool Trainer::train_epoch(Training& training) {
  run::RunPosition& position = training.position;
  apply_policy(training);
  const int64_t size = training.source->size(), batch = options_.data.train_batch;
  const double samples_before = position.totals.samples;
  const int64_t first_step = position.epoch * batches_of(size, batch);
  network_->set_proxquant(
      optim::proxquant(options_.train, options_.model.proxquant_step, position.epoch));
  training.source->start_epoch(position.epoch);
  training.loop.set_position(position.samples);
  training.totals.reset(position.totals);

  const auto start = Clock::now();
  stopped_by_ = static_cast<int>(together(core::interrupted()));
  for (int64_t iteration = 1; position.samples < size && !stopped_by_; ++iteration) {
    const int64_t samples = std::min(batch, size - position.samples);
    training.update.begin(position.epoch, position.samples / batch);
    if (training.mixup)
      training.mixup->begin(position.epoch, position.samples / batch,
                            step_.shard(batch).share_of(samples).count);
    if (options_.train.probe) probe_step(training);
    training.loop.run(position.samples, samples);
    position.samples += samples;
    if (iteration % options_.train.report_freq == 0)
      report(training, Clock::now() - start, samples_before);
    const int64_t step = first_step + (position.samples + batch - 1) / batch;
    if (position.samples < size && save_is_due(training, step)) {
      settle(training);
      save(training);
    }
    pause(options_.train.delay);
    if (decides_behind(step)) stopped_by_ = static_cast<int>(together(core::interrupted()));
  }
  settle(training);
  const std::chrono::duration<double> seconds = Clock::now() - start;
  observer_.on_pass_end();
  if (const std::string trouble = network_->quantizer_trouble(); !trouble.empty())
    core::warn_once(trouble);
  if (position.samples < size) return false;
  training.images_per_second.push_back((position.totals.samples - samples_before) /
                                       seconds.count());
  return true;
}

void Trainer::settle(Training& training) {
  const EpochTotals::Reading reading = training.totals.read();
  if (reading.halted) explain_halt(training, reading.totals);
  training.position.totals = reading.totals;
}

void Trainer::report(Training& training, std::chrono::duration<double> seconds,
                     double samples_before) {
  training.totals.request();
  const EpochTotals::Reading seen = training.totals.latest();
  // Of several processes each sees this at another step: they meet in settle.
  if (seen.halted && !group_) explain_halt(training, training.totals.read().totals);
  observer_.on_progress(
      {.training = true,
       .epoch = training.position.epoch,
       .epochs = optim::total_epochs(options_.train),
       .samples = static_cast<int64_t>(seen.totals.samples),
       .total = training.source->size(),
       .images_per_second = (seen.totals.samples - samples_before) / seconds.count(),
       .loss = to_accuracy(seen.totals).loss});
}

std::string Trainer::one_sided_text(const torch::Tensor& images) const {
  const std::vector<std::string> layers = one_sided_layers(*network_, images);
  if (layers.empty()) return "";
  return fmt::format(
      "xnor binarizes {} layers whose input has no value below 0, as behind ReLU, so that all of "
      "its signs are +1 (the first: {}); keyword NReLU or PReLU helps, a lower --lr does not",
      layers.size(), layers.front());
}

void Trainer::explain_halt(Training& training, const kernels::Totals& totals) {
  // Totals and weights stand where they stood before the batch that failed: run it again and look.
  const auto first = static_cast<int64_t>(totals.samples);
  throw core::failure(
      "the loss is not finite in epoch {}, iteration {}: first in {}", training.position.epoch,
      first / options_.data.train_batch,
      where_not_finite(*network_, *training.source, step_, options_.data.train_batch, first))
      .detail(one_sided_.empty()
                  ? "a lower --lr often helps; the checkpoint of the epoch before is unharmed"
                  : one_sided_);
}

void Trainer::finish_epoch(Training& training, run::RunResult& result) {
  run::RunPosition& position = training.position;
  const int epoch = position.epoch;
  core::log().info("[epoch {}]: train_loss {:.4f}, {:.0f} images/s, lr {:.6g}", epoch,
                   to_accuracy(position.totals).loss, training.images_per_second.back(),
                   optim::learning_rate(options_.train, epoch));
  warn_of_skipped(*training.source, step_, fmt::format("[epoch {}]: training", epoch));
  bool best = false;
  check_equal(training);
  share_statistics();
  if (validation_) {
    // A part of the run: the warm-up of quantizers counts it, as the published code does.
    result.last = validation_->run(*network_, validation_steps(), observer_, epoch);
    best = result.last->top1 > position.best_top1;
    if (best) {
      position.best_top1 = result.last->top1;
      position.best_epoch = epoch;
    }
    core::log().info("[epoch {}]: test_acc {:.2f} {:.2f}, best {:.2f}", epoch, result.last->top1,
                     result.last->top5, position.best_top1);
  }
  if (leads())
    record_.add({.epoch = epoch,
                 .learning_rate = optim::learning_rate(options_.train, epoch),
                 .training = to_accuracy(position.totals),
                 .validation = result.last,
                 .best_top1 = position.best_top1,
                 .images_per_second = training.images_per_second.back(),
                 .loss_scale = training.scaler.factor().item<double>()},
                *network_);
  position.epoch = epoch + 1;
  position.samples = 0;
  position.totals = {};
  if (!leads()) return;
  // The newest state last: if the process dies before it is there, -r writes the others again.
  const checkpoint::Value now = state(training);
  if (best && epoch > options_.train.epochs / 2) checkpoint::write_checkpoint(files_.best, now);
  if (optim::keeps_copy(options_.train, epoch))
    checkpoint::write_checkpoint(files_.copy(epoch), now);
  training.saved.save(now);
}

checkpoint::Value Trainer::state(const Training& training) const {
  const run::RunPosition& position = training.position;
  run::Rates rates;
  rates.schedule = optim::learning_rate(options_.train, position.epoch);
  for (size_t group = 0; group < training.optimizer->groups().size(); ++group) {
    rates.base.push_back(training.update.base_rate(group));
    rates.now.push_back(training.update.learning_rate(
        group, position.epoch, position.samples / options_.data.train_batch));
  }
  return run::checkpoint_of(*network_, training.update, position,
                            {configuration_, training.source->class_names()}, rates);
}

}  // namespace lowbit::train
