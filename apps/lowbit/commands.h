// The verbs of the program: each takes the arguments behind its name and gives the exit status.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace lowbit::app {

using Arguments = std::vector<std::string>;

// Whether -h or --help stands among them.
inline bool ask_for_help(const Arguments& arguments) {
  return std::ranges::any_of(arguments, [](const std::string& argument) {
    return argument == "-h" || argument == "--help";
  });
}

int train(const Arguments& arguments);
int eval(const Arguments& arguments);
int report(const Arguments& arguments);
int summary(const Arguments& arguments);
int after(const Arguments& arguments);
int tools(const Arguments& arguments);
int export_network(const Arguments& arguments);
int run(const Arguments& arguments);
int bench(const Arguments& arguments);

}  // namespace lowbit::app
