#include "lowbit/config/interval.h"

#include "lowbit/config/option_table.h"

namespace lowbit::config {
namespace {

struct Unit {
  char letter;
  int64_t seconds;
};
// The largest first.
constexpr Unit kUnits[] = {{'h', 3600}, {'m', 60}, {'s', 1}};

constexpr double kMost = 1e9;

}  // namespace

Interval parse_interval(const std::string& option, const Argument& value) {
  if (is_none(value.text)) return {};
  for (const Unit& unit : kUnits)
    if (value.text.size() > 1 && value.text.back() == unit.letter) {
      const Argument number = value.slice(0, value.text.size() - 1);
      return {.seconds = unit.seconds * parse_integer(option, number, between(1, kMost))};
    }
  return {.steps = parse_integer(option, value, between(1, kMost))};
}

std::string interval_text(const Interval& interval) {
  if (interval.steps > 0) return std::to_string(interval.steps);
  for (const Unit& unit : kUnits)
    if (interval.seconds > 0 && interval.seconds % unit.seconds == 0)
      return std::to_string(interval.seconds / unit.seconds) + unit.letter;
  return "none";
}

}  // namespace lowbit::config
