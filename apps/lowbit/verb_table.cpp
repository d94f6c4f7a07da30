#include "verb_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "lowbit/core/error.h"

namespace lowbit::app {

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
  size_t width = 0;
  for (const Verb& verb : verbs)
    width = std::max(width, program.size() + 1 + std::string_view(verb.call).size());
  std::string lines;
  for (const Verb& verb : verbs)
    lines += fmt::format("  {:{}} {}\n", program + " " + verb.call, width, verb.help);
  return lines;
}

}  // namespace lowbit::app
