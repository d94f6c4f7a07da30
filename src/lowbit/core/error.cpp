#include "lowbit/core/error.h"

#include <algorithm>
#include <cctype>
#include <numeric>

#include "lowbit/core/printable.h"

namespace lowbit::core {

Error::Error(ErrorKind kind, std::string message) : kind_(kind), message_(std::move(message)) {
  compose();
}

Error& Error::at(std::string_view file, int line) {
  if (place_.empty()) {
    place_ = line > 0 ? fmt::format("{}:{}: ", file, line) : fmt::format("{}: ", file);
    compose();
  }
  return *this;
}

Error& Error::suggest(std::string_view nearest) {
  nearest_ = nearest;
  compose();
  return *this;
}

Error& Error::detail(std::string_view line) {
  if (!details_.empty()) details_ += '\n';
  details_ += printable(line);
  return *this;
}

void Error::compose() {
  std::string line = place_ + message_;
  if (!nearest_.empty()) line += fmt::format("; did you mean '{}'?", nearest_);
  line_ = printable(line);
}

size_t edit_distance(std::string_view a, std::string_view b) {
  // Three rows of the dynamic program: the one before last serves the swap of neighbors.
  std::vector<size_t> before, previous(b.size() + 1), current(b.size() + 1);
  std::iota(previous.begin(), previous.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    current[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = previous[j - 1] + (a[i - 1] != b[j - 1]);
      current[j] = std::min({previous[j] + 1, current[j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        current[j] = std::min(current[j], before[j - 2] + 1);
    }
    before = previous;
    std::swap(previous, current);
  }
  return previous.back();
}

std::string nearest_name(std::string_view name, std::span<const std::string> candidates) {
  const auto lower = [](std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return result;
  };
  // Nobody means a name in a text that long, and the distance takes the product of both lengths.
  constexpr size_t kLongest = 200;
  if (name.size() > kLongest) return "";
  const std::string wanted = lower(name);
  std::string best;
  // Almost any two names of three letters are two edits apart.
  const size_t allowed = name.size() <= 3 ? 1 : std::max<size_t>(2, name.size() / 3);
  size_t best_distance = allowed + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = edit_distance(wanted, lower(candidate));
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace lowbit::core
