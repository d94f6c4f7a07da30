// Verbs as rows of a table: those of the program and those of its tools.
#pragma once

#include <span>
#include <string>

#include "commands.h"

namespace lowbit::app {

struct Verb {
  const char* name;
  const char* call;  // the verb with what may stand behind it
  const char* help;
  // Takes the arguments behind the name, gives the exit status. Null: specified, and said by name
  // to be missing.
  int (*run)(const Arguments&) = nullptr;
};

// The row that a name means; a usage error with the nearest name if there is none or if it is not
// built. program: what stands before the name, "lowbit" or "lowbit tools".
const Verb& find_verb(std::span<const Verb> verbs, const std::string& program,
                      const std::string& name);

// A line for each verb that is built, for the help.
std::string verb_lines(std::span<const Verb> verbs, const std::string& program);

}  // namespace lowbit::app
