// The words of --keyword as rows of a table: each is parsed once, into typed fields, and no code
// outside this folder asks whether a word is present.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lowbit/config/argument.h"
#include "lowbit/config/options.h"

namespace lowbit::config {

struct Keyword {
  std::string name;
  std::string help;
  // What the word sets; null for a word that sets nothing.
  std::function<void(Options&)> set = nullptr;
  // Why the word has no effect beside the given options, "" where it has. Called after everything
  // is set. Null: it always has.
  std::function<std::string(const Options&)> idle = nullptr;
  // One of these words has to be there, too.
  std::vector<std::string> needs = {};

  // Accepted for the sake of old files and of other models.
  bool without_effect() const { return set == nullptr; }
};

struct KeywordGroup {
  const char* title;
  bool one_of;  // of several words the first in the table counts
  std::vector<Keyword> keywords;
};

// All words in the order in which they are applied: a later one overrides an earlier one, except
// within a one_of group.
const std::vector<KeywordGroup>& keyword_groups();

// The table itself: keyword_table.cpp.
std::vector<KeywordGroup> keyword_table();

// What may stand between the words.
inline constexpr const char* kKeywordSeparators = ", \t\r\n";

// The row of a word; a usage error with its place and the nearest word if there is none.
const Keyword& known_keyword(const Argument& word);

// nullptr if there is no such word.
const Keyword* find_keyword(const std::string& name);
std::vector<std::string> keyword_names();

}  // namespace lowbit::config
