#include "lowbit/train/run_log.h"

#include <charconv>
#include <string_view>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"

namespace lowbit::train {
namespace fs = std::filesystem;
namespace {

// N of a line "TIME  [epoch N]: ..", -1 for any other.
int epoch_of(std::string_view line) {
  constexpr std::string_view kBegin = "  [epoch ";
  const size_t at = line.find(kBegin);
  if (at == std::string_view::npos) return -1;
  line.remove_prefix(at + kBegin.size());
  int epoch = -1;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), epoch);
  return error == std::errc() &&
                 line.substr(static_cast<size_t>(end - line.data())).starts_with(']')
             ? epoch
             : -1;
}

// The part of a log that stands before the first line of an epoch from `epoch` on, without a last
// line that was cut when its process died.
std::string_view before_epoch(std::string_view log, int epoch) {
  size_t begin = 0;
  while (true) {
    const size_t end = log.find('\n', begin);
    if (end == std::string_view::npos || epoch_of(log.substr(begin, end - begin)) >= epoch)
      return log.substr(0, begin);
    begin = end + 1;
  }
}

}  // namespace

void begin_log(const fs::path& log, const RunStart& start) {
  std::error_code error;
  if (!fs::is_regular_file(log, error)) return;
  if (!start.checkpoint) {
    fs::rename(log, log.string() + ".old", error);
    if (error) throw core::failure("cannot rename '{}': {}", log.string(), error.message());
    return;
  }
  const std::string content = core::read_file(log);
  const std::string_view kept = before_epoch(content, start.epoch());
  if (kept.size() < content.size()) core::replace_file(log, kept);
}

}  // namespace lowbit::train
