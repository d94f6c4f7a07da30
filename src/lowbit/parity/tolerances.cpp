#include "lowbit/parity/tolerances.h"

#include <fnmatch.h>

#include <nlohmann/json.hpp>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"

namespace lowbit::parity {
namespace {

constexpr const char* kDefault = "default";
constexpr const char* kLq = "lq";
constexpr const char* kNotCompared = "grads_not_compared";

struct Field {
  const char* name;
  double Tolerances::*number;
};
constexpr Field kFields[] = {{"logits", &Tolerances::logits},
                             {"loss", &Tolerances::loss},
                             {"grads", &Tolerances::gradients},
                             {"eval_logits", &Tolerances::eval_logits},
                             {"state", &Tolerances::state}};

double Tolerances::*field(const std::string& name) {
  for (const Field& each : kFields)
    if (name == each.name) return each.number;
  throw core::usage_error("'{}' is no tolerance; there are logits, loss, grads, eval_logits, state",
                          name);
}

bool matches(const std::string& pattern, const std::string& name) {
  return fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
}

}  // namespace

ToleranceTable ToleranceTable::read(const std::filesystem::path& file) {
  const std::string text = core::read_file(file);
  ToleranceTable table;
  try {
    const auto json = nlohmann::ordered_json::parse(text);
    for (const auto& [name, value] : json.items()) {
      if (name == kNotCompared) {
        table.gradients_not_compared_ = value.get<std::vector<std::string>>();
        continue;
      }
      Entry entry{name, {}};
      for (const auto& [part, number] : value.items())
        entry.numbers.emplace_back(field(part), number.get<double>());
      table.entries_.push_back(std::move(entry));
    }
  } catch (const nlohmann::json::exception& error) {
    throw core::usage_error("no tolerances: {}", error.what()).at(file.string());
  } catch (core::Error& error) {
    throw error.at(file.string());
  }
  return table;
}

Tolerances ToleranceTable::of(const std::string& name, bool uses_lq) const {
  Tolerances result;
  for (const Entry& entry : entries_) {
    const bool applies = entry.pattern == kDefault || (uses_lq && entry.pattern == kLq) ||
                         matches(entry.pattern, name);
    if (!applies) continue;
    for (const auto& [number, value] : entry.numbers) result.*number = value;
  }
  for (const std::string& pattern : gradients_not_compared_)
    if (matches(pattern, name)) result.compare_gradients = false;
  return result;
}

}  // namespace lowbit::parity
