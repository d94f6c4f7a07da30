#include "command_line.h"

#include "lowbit/config/match.h"
#include "lowbit/core/error.h"
#include "lowbit/runtime/kernels/instruction_set.h"
#include "output.h"

namespace lowbit::app {

bool parse_arguments(CLI::App& app, const Arguments& arguments) {
  try {
    // CLI11 takes the arguments from the back.
    app.parse(Arguments(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    const std::string& command = app.get_name();
    if (error.get_exit_code() != 0)
      throw core::usage_error("{}: {}", command.substr(command.find(' ') + 1), error.what())
          .detail("'" + command + " -h' lists the options");
    print_lines(app.help());
    return false;
  }
  return true;
}

FileCall split_call(const std::string& verb, const std::string& what, const Arguments& arguments) {
  FileCall call;
  call.options = arguments;
  const std::vector<size_t> places = config::stray_words(arguments);
  if (places.empty()) return call;
  if (places.size() > 1)
    throw core::usage_error("{}: '{}' is a second {}", verb, arguments[places[1]], what)
        .detail(fmt::format("'lowbit {} -h' lists the options", verb));
  call.file = arguments[places[0]];
  call.options.erase(call.options.begin() + static_cast<std::ptrdiff_t>(places[0]));
  return call;
}

void add_packed_options(CLI::App& app, PackedCall& call) {
  app.add_option("model", call.model, "what lowbit export has written")->required();
  app.add_option("-t,--threads", call.threads, "0: as many as there are cores")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  std::string kernels = "auto";
  for (const runtime::InstructionSet& isa : runtime::instruction_sets())
    kernels.append(", ").append(isa.name);
  app.add_option("--kernels", call.kernels, kernels)->capture_default_str();
}

}  // namespace lowbit::app
