// Finds the option rows that a list of words means.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "lowbit/config/option.h"

namespace lowbit::config {

// An option as the user gave it.
struct Given {
  const Option* option;
  Argument name;                // the word that named it
  std::vector<Argument> words;  // its value; "true" or "false" for a flag

  std::string text() const;  // the words with blanks between
  const Argument& where() const { return option->arity == Arity::none ? name : words.front(); }
};

// By the first name of the option.
using GivenOptions = std::map<std::string, Given>;

// Whether the words are the option's default.
bool changes_nothing(const Given& given);

// The row with this name, nullptr if there is none.
const Option* find_option(const std::string& name);

// Reads `--name value`, `--name=value`, `-j2` and flags; what is given later replaces what is
// already in `given`. A usage error for an unknown option, a stray word, a missing value, a flag
// with one.
void match(std::span<const Argument> words, GivenOptions& given);

// The places of the words that are neither options nor their values: files to read. A usage error
// for an unknown option.
std::vector<size_t> stray_words(std::span<const std::string> words);

// What a configuration is for.
enum class Purpose {
  run,
  dry_run,  // a run that is only described: files that are missing are warnings
  network,  // no training: what does not describe the network is passed over
};

// Puts the given values into the fields; a usage error for a value that is wrong. Returns warnings:
// options without effect.
std::vector<std::string> apply(const GivenOptions& given, Options& options);

}  // namespace lowbit::config
