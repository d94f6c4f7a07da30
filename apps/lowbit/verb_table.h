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
  int (*run)(const Arguments&);  // takes the arguments behind the name, gives the exit status
};

// The row that a name means; a usage error with the nearest name if there is none. program: what
// stands before the name, "lowbit" or "lowbit tools".
const Verb& find_verb(std::span<const Verb> verbs, const std::string& program,
                      const std::string& name);

// A line for each verb, for the help.
std::string verb_lines(std::span<const Verb> verbs, const std::string& program);

}  // namespace lowbit::app
