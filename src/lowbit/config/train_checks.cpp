#include "lowbit/config/train_checks.h"

#include <algorithm>

#include "lowbit/config/model_options.h"
#include "lowbit/config/option_table.h"

namespace lowbit::config {
namespace {

class Checker {
 public:
  Checker(const GivenOptions& given, TrainOptions& train, const DataOptions& data)
      : given_(given), train_(train), data_(data) {}

  std::vector<std::string> run() {
    train_.device_ids_given = find("--device-ids") != nullptr;
    refuse_impossible();
    settle_precision();
    warn_about_criterion();
    warn_about_teacher();
    warn_about_optimizer();
    warn_about_images();
    return std::move(warnings_);
  }

 private:
  const Given* find(const std::string& option) const {
    const auto found = given_.find(option);
    return found == given_.end() ? nullptr : &found->second;
  }

  core::Error located(core::Error error, const char* option) const {
    const Given* given = find(option);
    return given ? at(std::move(error), given->where()) : error;
  }

  // For an option that was given, if it changes its default.
  void warn(const char* option, const std::string& reason) {
    const Given* given = find(option);
    if (!given) return;
    if (!given->option->show ||
        given->option->show(with(train_, data_)) != defaults(*given->option))
      warnings_.push_back(
          fmt::format("{}: option '{}' has no effect {}", given->name.place(), option, reason));
  }
  static Options with(const TrainOptions& train, const DataOptions& data) {
    Options options;
    options.train = train;
    options.data = data;
    return options;
  }
  static std::string defaults(const Option& option) { return option.show(Options()); }

  // What only sets of picture files have.
  void warn_about_images() {
    if (data_.dataset != "dali")
      warn("--dali_cpu_share", fmt::format("on data set '{}'", data_.dataset));
    if (data_.dataset == "imagenet" || data_.dataset == "dali") return;
    for (const char* option : {"--addition_augment", "--skip_damaged"})
      warn(option, fmt::format("on data set '{}'", data_.dataset));
  }

  void refuse_impossible() const {
    if (train_.device_ids.empty())
      throw located(core::usage_error("option '--device-ids': no GPU is named"), "--device-ids");
    if (train_.rank >= std::max(train_.world_size, 1))
      throw located(core::usage_error("option '--rank': {} is none of the {} processes of "
                                      "'--world_size', which are counted from 0",
                                      train_.rank, std::max(train_.world_size, 1)),
                    "--rank");
    const std::string& teacher = train_.distill_teacher;
    if (teacher.empty()) return;
    const std::vector<std::string> names = model_names();
    if (std::find(names.begin(), names.end(), teacher) == names.end())
      throw unknown_value("--distill_teacher", find("--distill_teacher")->where(), names);
    if (train_.distill_weights.empty() && train_.pretrained.empty())
      throw located(core::usage_error("option '--distill_teacher' needs the teacher's weights: "
                                      "give '--distill_weights FILE'"),
                    "--distill_teacher");
  }

  void settle_precision() {
    const Given* level = find("--opt_level");
    if (!level) return;
    const bool mixed = train_.precision == Precision::fp16;
    if (train_.opt_level == OptLevel::O0) {
      if (mixed)
        warnings_.push_back(
            fmt::format("{}: option '--opt_level': O0 computes in fp32, in spite of fp16",
                        level->name.place()));
      if (mixed) train_.precision = Precision::fp32;
    } else if (!mixed) {
      warn("--opt_level", "without '--fp16'");
    } else if (train_.opt_level != OptLevel::O1) {
      warnings_.push_back(
          fmt::format("{}: option '--opt_level': {} is the same mixed precision as O1",
                      level->name.place(), level->text()));
    }
  }

  void warn_about_criterion() {
    if (train_.criterion != Criterion::label_smooth)
      warn("--label_smooth", "without keyword 'label-smooth'");
    if (train_.criterion != Criterion::focal)
      for (const char* option : {"--focal_gamma", "--focal_alpha"})
        warn(option, "without keyword 'focal-loss'");
    if (!data_.mixup_enable) warn("--mixup_alpha", "without '--mixup_enable'");
  }

  void warn_about_teacher() {
    if (train_.distill_teacher.empty()) {
      for (const char* option : {"--distill_weights", "--distill_loss_alpha",
                                 "--distill_loss_temperature", "--distill_loss_type"})
        warn(option, "without '--distill_teacher'");
    } else if (train_.distill_loss == DistillLoss::hard) {
      warn("--distill_loss_temperature", "with '--distill_loss_type hard'");
    }
  }

  void warn_about_optimizer() {
    if (train_.optimizer == OptimizerKind::adam)
      for (const char* option : {"--momentum", "--nesterov"}) warn(option, "with ADAM");
    if (train_.custom_lr_list.empty()) warn("--custom_lr", "without '--custom_lr_list'");
    for (const auto& [iterations, epochs, name] :
         {std::tuple(train_.warmup, "--warmup_epoch", "--warmup"),
          std::tuple(train_.wakeup, "--wakeup_epoch", "--wakeup")})
      if (iterations > 0) warn(epochs, fmt::format("beside '{}'", name));
  }

  const GivenOptions& given_;
  TrainOptions& train_;
  const DataOptions& data_;
  std::vector<std::string> warnings_;
};

}  // namespace

std::vector<std::string> check_training_options(const GivenOptions& given, TrainOptions& train,
                                                const DataOptions& data) {
  return Checker(given, train, data).run();
}

}  // namespace lowbit::config
