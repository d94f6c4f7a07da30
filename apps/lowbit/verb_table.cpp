#include "verb_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "lowbit/core/error.h"

namespace lowbit::app {
namespace {

constexpr size_t call_width = 37;  // characters of program and call

}  // namespace

const Verb& find_verb(std::span<const Verb> verbs, const std::string& program,
                      const std::string& name) {
  std::vector<std::string> names;
  for (const Verb& verb : verbs) {
    if (name == verb.name) return verb;
    names.emplace_back(verb.name);
  }
  throw core::usage_error("unknown verb '{}'", name)
      .suggest(core::nearest_name(name, names))
      .detail(fmt::format("'{} -h' lists the verbs", program));
}

std::string verb_lines(std::span<const Verb> verbs, const std::string& program) {
  std::string lines;
  for (const Verb& verb : verbs)
    lines += fmt::format("  {:{}}{}\n", program + " " + verb.call, call_width, verb.help);
  return lines;
}

}  // namespace lowbit::app
