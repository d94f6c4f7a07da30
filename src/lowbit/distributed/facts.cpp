#include "lowbit/distributed/facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "lowbit/core/printable.h"

namespace lowbit::distributed {
namespace {

// Neither is part of a name or value: those are text.
constexpr char kBetween = '\0', kBehind = '\1';

std::string shown(const Fact* fact) {
  constexpr size_t kLongest = 200;
  if (!fact) return "nothing";
  const bool whole = fact->value.size() <= kLongest;
  return fmt::format("'{}{}'", core::printable(fact->value.substr(0, kLongest)),
                     whole ? "" : "...");
}

const Fact* named(const Facts& facts, const std::string& name) {
  const auto found = std::ranges::find(facts, name, &Fact::name);
  return found == facts.end() ? nullptr : &*found;
}

}  // namespace

std::string to_text(const Facts& facts) {
  std::string text;
  for (const Fact& fact : facts) text += fact.name + kBetween + fact.value + kBehind;
  return text;
}

Facts facts_of(const std::string& text) {
  Facts facts;
  for (size_t at = 0; at < text.size();) {
    const size_t between = text.find(kBetween, at), behind = text.find(kBehind, at);
    if (between == std::string::npos || behind == std::string::npos || between > behind) break;
    facts.push_back(
        {text.substr(at, between - at), text.substr(between + 1, behind - between - 1)});
    at = behind + 1;
  }
  return facts;
}

std::string differences(const Facts& first, const Facts& own, int rank) {
  std::string lines;
  const auto compare = [&](const std::string& name) {
    const Fact *there = named(first, name), *here = named(own, name);
    if (there && here && there->value == here->value) return;
    lines += fmt::format("{}{}: {} in process 0, {} in process {}", lines.empty() ? "" : "\n", name,
                         shown(there), shown(here), rank);
  };
  for (const Fact& fact : first) compare(fact.name);
  for (const Fact& fact : own)
    if (!named(first, fact.name)) compare(fact.name);
  return lines;
}

core::Error disagreement(const std::string& differences) {
  std::istringstream lines(differences);
  std::string line;
  std::getline(lines, line);
  core::Error error = core::usage_error("the processes of the run differ in {}", line);
  while (std::getline(lines, line)) error.detail(line);
  return error;
}

}  // namespace lowbit::distributed
