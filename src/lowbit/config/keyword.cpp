#include "lowbit/config/keyword.h"

#include <algorithm>

namespace lowbit::config {

const std::vector<KeywordGroup>& keyword_groups() {
  static const std::vector<KeywordGroup> groups = keyword_table();
  return groups;
}

const Keyword* find_keyword(const std::string& name) {
  for (const KeywordGroup& group : keyword_groups())
    for (const Keyword& keyword : group.keywords)
      if (keyword.name == name) return &keyword;
  return nullptr;
}

const Keyword& known_keyword(const Argument& word) {
  if (const Keyword* keyword = find_keyword(word.text)) return *keyword;
  throw at(core::usage_error("unknown keyword '{}'", word.text)
               .suggest(core::nearest_name(word.text, keyword_names())),
           word);
}

std::vector<std::string> keyword_names() {
  std::vector<std::string> names;
  for (const KeywordGroup& group : keyword_groups())
    for (const Keyword& keyword : group.keywords) names.push_back(keyword.name);
  return names;
}

}  // namespace lowbit::config
