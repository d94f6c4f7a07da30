#include "lowbit/config/train_checks.h"

#include <algorithm>

#include "lowbit/config/model_options.h"
#include "lowbit/config/option_table.h"

namespace lowbit::config {
namespace {

class Checker {
 public:
  Checker(const GivenOptions& given, TrainOptions& train) : given_(given), train_(train) {}

  std::vector<std::string> run() {
    train_.device_ids_given = find("--device-ids") != nullptr;
    refuse_impossible();
    settle_precision();
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
    } else if (mixed && train_.opt_level != OptLevel::O1) {
      warnings_.push_back(
          fmt::format("{}: option '--opt_level': {} is the same mixed precision as O1",
                      level->name.place(), level->text()));
    }
  }

  const GivenOptions& given_;
  TrainOptions& train_;
  std::vector<std::string> warnings_;
};

}  // namespace

std::vector<std::string> check_training_options(const GivenOptions& given, TrainOptions& train) {
  return Checker(given, train).run();
}

}  // namespace lowbit::config
