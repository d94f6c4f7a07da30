#include "console.h"

#include <fmt/format.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/core/log.h"
#include "lowbit/core/printable.h"
#include "output.h"

namespace lowbit::app {
namespace {

using namespace std::chrono_literals;

constexpr auto redraw = 100ms;  // of the bar on a terminal
constexpr auto repeat = 10s;    // of the line elsewhere
constexpr int bar_width = 24;   // characters

// Standard output for news, standard error for warnings.
class ConsoleSink : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string_view text(message.payload.data(), message.payload.size());
    if (message.level >= spdlog::level::warn)
      complain("warning: {}\n", text);
    else
      print_log_line(text);
  }
  void flush_() override {}
};

// Line by line on the disk: what a run that is killed has said is there.
class FileSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FileSink(std::filesystem::path path) : path_(std::move(path)) {
    core::append_file(path_, "");
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string text = core::printable({message.payload.data(), message.payload.size()});
    spdlog::details::log_msg shown = message;
    shown.payload = text;
    spdlog::memory_buf_t line;
    formatter_->format(shown, line);
    core::append_file(path_, {line.data(), line.size()});
  }
  void flush_() override {}

 private:
  const std::filesystem::path path_;
};

// Called while an exception of a sink is handled. The logger itself only mentions them and goes on,
// but a run whose log is on a full disk is to end as one whose checkpoints are.
void pass_on_errors(const std::string& text) {
  try {
    throw;
  } catch (const core::Error&) {
    throw;
  } catch (...) {
    complain("warning: {}\n", text);
  }
}

std::string line_of(const run::Progress& progress) {
  const double rate = std::max(progress.images_per_second, 1e-9);
  const double pass = static_cast<double>(progress.total - progress.samples) / rate;
  // Training time alone: the passes over the validation set are short.
  const double rest = progress.training
                          ? static_cast<double>(progress.epochs - progress.epoch - 1) *
                                static_cast<double>(progress.total) / rate
                          : 0;
  return fmt::format("{} {}/{}  {:3.0f} %  {:.0f} images/s  loss {:.4f}  {} left",
                     progress.training ? "epoch" : "validating, epoch", progress.epoch,
                     progress.epochs,
                     100.0 * static_cast<double>(progress.samples) /
                         static_cast<double>(std::max<int64_t>(progress.total, 1)),
                     progress.images_per_second, progress.loss, duration_text(pass + rest));
}

std::string bar_of(const run::Progress& progress) {
  const auto filled =
      static_cast<size_t>(bar_width * progress.samples / std::max<int64_t>(progress.total, 1));
  return std::string(filled, '=') + std::string(bar_width - filled, ' ');
}

}  // namespace

void log_to_console(bool details) {
  static std::shared_ptr<ConsoleSink> sink;
  if (!sink) {
    sink = std::make_shared<ConsoleSink>();
    sink->set_level(spdlog::level::info);
    core::log().set_level(spdlog::level::debug);
    core::log().sinks().push_back(sink);
  }
  if (details) sink->set_level(spdlog::level::debug);
}

void log_to_file(const std::filesystem::path& path) {
  core::make_writable_folder(path.parent_path());
  auto sink = std::make_shared<FileSink>(path);
  sink->set_pattern("%Y-%m-%d %H:%M:%S  %v");
  core::log().sinks().push_back(sink);
  core::log().set_error_handler(pass_on_errors);
}

ProgressDisplay::ProgressDisplay() : terminal_(::isatty(STDERR_FILENO)), last_(Clock::now()) {}

void ProgressDisplay::on_progress(const run::Progress& progress) {
  const auto now = Clock::now();
  if (progress.samples == 0) return;
  if (terminal_ && (now - last_ >= redraw)) {
    draw_line(fmt::format("[{}] {}", bar_of(progress), line_of(progress)));
    shown_ = true;
    last_ = now;
  } else if (!terminal_ && now - last_ >= repeat) {
    complain("{}\n", line_of(progress));
    last_ = now;
  }
}

void ProgressDisplay::on_pass_end() {
  if (shown_) remove_line();
  shown_ = false;
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::min(seconds, 1e9) + 0.5);
  if (whole >= 3600)
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

}  // namespace lowbit::app
