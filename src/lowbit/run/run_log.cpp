#include "lowbit/run/run_log.h"

#include <string_view>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/core/number.h"

namespace lowbit::run {
namespace fs = std::filesystem;
namespace {

// N of a line "TIME  [epoch N]: ..", -1 for any other.
int epoch_of(std::string_view line) {
  constexpr std::string_view kBegin = "  [epoch ";
  const size_t at = line.find(kBegin);
  if (at == std::string_view::npos) return -1;
  line.remove_prefix(at + kBegin.size());
  const size_t end = line.find(']');
  if (end == std::string_view::npos) return -1;
  return core::number_of<int>(line.substr(0, end)).value_or(-1);
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
  if (!core::is_file(log)) return;
  if (!start.checkpoint) {
    std::error_code error;
    fs::rename(log, log.string() + ".old", error);
    if (error) throw core::failure("cannot rename '{}': {}", log.string(), error.message());
    return;
  }
  const std::string content = core::read_file(log);
  const std::string_view kept = before_epoch(content, start.epoch());
  if (kept.size() < content.size()) core::replace_file(log, kept);
}

}  // namespace lowbit::run
