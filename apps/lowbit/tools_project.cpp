// lowbit tools parity | options | plot-quantizers: what the project checks itself with and what its
// documentation is made of.

#include "lowbit/config/parse.h"
#include "lowbit/parity/parity.h"
#include "lowbit/quant/pictures.h"
#include "output.h"
#include "tool_call.h"
#include "tools.h"

namespace lowbit::app {

int parity(const Arguments& arguments) {
  const auto call = read_tool_call("parity", "compare networks with recorded runs, in float64",
                                   arguments, "CASE");
  if (!call) return 0;
  const parity::ToleranceTable tolerances = call->tolerances.empty()
                                                ? parity::ToleranceTable()
                                                : parity::ToleranceTable::read(call->tolerances);
  size_t passed = 0;
  for (const std::string& file : call->words) {
    const parity::ParityResult result = parity::run_parity(file, tolerances);
    print("{}\n", parity::format_line(result));
    flush_output();
    passed += result.ok;
  }
  print("{} of {} cases ok\n", passed, call->words.size());
  return passed == call->words.size() ? 0 : 1;
}

int list_options(const Arguments& arguments) {
  if (read_tool_call("options", "print docs/options.md", arguments))
    print_lines(config::options_markdown());
  return 0;
}

int plot_quantizers(const Arguments& arguments) {
  const auto call = read_tool_call("plot-quantizers", "draw the pictures of docs/quantizers.md",
                                   arguments, "FOLDER");
  if (!call) return 0;
  for (const std::string& folder : call->words)
    for (const auto& path : quant::write_pictures(folder)) print("wrote {}\n", path.string());
  return 0;
}

}  // namespace lowbit::app
