#include "lowbit/report/findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "lowbit/core/number.h"
#include "lowbit/report/markup.h"

namespace lowbit::report {
namespace {

// Where a number begins to be worth a look. Percentages of accuracy are points.
constexpr double kAccuracyLoss = 3;       // against full precision, and against the run's own best
constexpr double kClipped = 0.1;          // share of the input,
constexpr double kClippedOverMedian = 2;  // and over the median of its tag: to clip some is meant
constexpr double kUnusedRange = 3;        // clip range over the span of the input
constexpr double kErrorOverMedian = 2;    // error over the median of its tag
constexpr double kErrorAtAll = 0.05;      // below it no error is worth a word
constexpr size_t kFewCodes = 16;          // of more codes some may well be unused

using Statistics = models::QuantizerStatistics;

std::string name_of(const Statistics& s) {
  return s.layer + " " + models::tag_name(s.tag);
}

// The part of the clip range that serves the input: both begin at 0 or are around it.
double range_over_input(const Statistics& s) {
  const double input = std::max(std::abs(s.input_min), std::abs(s.input_max));
  const double range = std::max(std::abs(s.range_low), std::abs(s.range_high));
  return input > 0 ? range / input : std::nan("");
}

// The share that saturates. What a half range cuts below zero is what a rectifier would.
double clipped(const Statistics& s) {
  return s.range_low < -1e-3 * s.range_high ? s.clipped_low + s.clipped_high : s.clipped_high;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// The largest accuracy, per cent, that chance explains: that of guessing with some luck.
double as_good_as_guessing(int classes) {
  const double guessing = 100.0 / classes;
  return guessing + std::min(guessing / 2, (100 - guessing) / 10);
}

// What is usual among the quantizers of a tag: medians.
struct Usual {
  double error = 0, clipped = 0;
};

void look_at_layer(const Statistics& s, const Usual& usual, std::vector<Finding>& found) {
  const auto add = [&](Severity severity, std::string what) {
    found.push_back({severity, name_of(s), std::move(what)});
  };
  if (!s.usable()) {
    add(Severity::broken, "gives no numbers: a clip value, or a group of the input, is not usable");
    return;
  }
  if (s.clip_min <= 0)
    add(Severity::broken, fmt::format("a clip value is {}, not above 0", short_number(s.clip_min)));
  if (s.codes.size() < 2) {
    add(Severity::broken, "has only one level left");
  } else if (s.codes.size() <= kFewCodes && s.dead_codes() > 0) {
    add(2 * s.dead_codes() >= static_cast<int64_t>(s.codes.size()) ? Severity::bad
                                                                   : Severity::notable,
        fmt::format("{} of {} codes never occur", s.dead_codes(), s.codes.size()));
  }
  if (clipped(s) > std::max(kClipped, kClippedOverMedian * usual.clipped))
    add(Severity::notable,
        fmt::format("{} of its input lie beyond the clip range", percent(clipped(s))));
  if (range_over_input(s) > kUnusedRange)
    add(Severity::notable,
        fmt::format("the clip range is {:.1f} times as wide as the input", range_over_input(s)));
  if (s.relative_error > std::max(kErrorAtAll, kErrorOverMedian * usual.error))
    add(Severity::bad, fmt::format("quantization error {}, {:.1f} times the median of its kind",
                                   percent(s.relative_error), s.relative_error / usual.error));
}

void look_at_epochs(const RunData& run, std::vector<Finding>& found) {
  const auto add = [&](Severity severity, std::string what) {
    found.push_back({severity, "the run", std::move(what)});
  };
  if (run.epochs.empty()) {
    add(Severity::notable, "no epoch is done yet");
    return;
  }
  const run::EpochMetrics& last = run.epochs.back();
  if (!std::isfinite(last.training.loss)) add(Severity::broken, "the training loss is not finite");
  if (last.loss_scale < 1)
    add(Severity::bad, fmt::format("the loss scale fell to {}: half precision overflows",
                                   short_number(last.loss_scale)));
  if (run.epochs.size() > 1 && last.training.loss >= run.epochs.front().training.loss)
    add(Severity::bad, fmt::format("the training loss did not fall: {:.4f} in the first epoch, "
                                   "{:.4f} in the last",
                                   run.epochs.front().training.loss, last.training.loss));
  if (!last.validation) return;
  const double top1 = last.validation->top1;
  const int classes = core::number_of<int>(run.setting("--num_classes")).value_or(0);
  if (classes > 1 && top1 <= as_good_as_guessing(classes))
    add(Severity::broken, fmt::format("{:.2f} % top-1 is no better than guessing among {} classes "
                                      "({:.2f} %)",
                                      top1, classes, 100.0 / classes));
  if (run.full_precision_top1 - top1 > kAccuracyLoss)
    add(Severity::bad, fmt::format("{:.2f} points below its full-precision start ({:.2f} %)",
                                   run.full_precision_top1 - top1, run.full_precision_top1));
  if (last.best_top1 - top1 > kAccuracyLoss)
    add(Severity::bad, fmt::format("ended {:.2f} points below its best epoch ({:.2f} %)",
                                   last.best_top1 - top1, last.best_top1));
}

}  // namespace

std::vector<Finding> findings(const RunData& run) {
  std::vector<Finding> found;
  look_at_epochs(run, found);
  const std::vector<Statistics> layers = run.last_layers();
  std::map<config::Tag, Usual> usual;
  for (const config::Tag tag : {config::Tag::fm, config::Tag::wt, config::Tag::ot}) {
    std::vector<double> errors, shares;
    for (const Statistics& s : layers)
      if (s.tag == tag && s.usable()) {
        errors.push_back(s.relative_error);
        shares.push_back(clipped(s));
      }
    usual[tag] = {median(errors), median(shares)};
  }
  for (const Statistics& s : layers) look_at_layer(s, usual[s.tag], found);
  std::ranges::stable_sort(found, {}, &Finding::severity);
  return found;
}

}  // namespace lowbit::report
