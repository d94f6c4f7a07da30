// lowbit report RUN...: an HTML page of one or more runs.

#include <filesystem>

#include "commands.h"
#include "console.h"
#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/report/page.h"
#include "output.h"

namespace lowbit::app {
namespace {

namespace fs = std::filesystem;

constexpr const char* report_usage =
    "usage: lowbit report RUN... [-o FILE] [options]\n\n"
    "Writes an HTML page that needs nothing beside it: curves, what stands out, every quantizer\n"
    "with its error, clip range and codes, and the images that quantization lost. RUN is the "
    "folder\n"
    "of a run (exp/MODEL/CASE), one of its checkpoints, or a folder above runs; several runs are\n"
    "shown side by side.\n\n"
    "  -o FILE      default: report.html in the folder of the run; of several RUN, here\n"
    "  --no-images  do not run the networks on the validation set for the images\n"
    "Options of lowbit train replace those of the runs: --root FOLDER, --device cpu, ...\n";

struct ReportCall {
  std::vector<fs::path> runs;
  fs::path output;  // empty: the default
  bool images = true;
  Arguments options;  // from the first word on that begins with a dash and is none of ours
};

ReportCall read_report_call(const Arguments& arguments) {
  ReportCall call;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (word == "-o" || word == "--output") {
      if (i + 1 == arguments.size()) throw core::usage_error("report: '{}' needs a file", word);
      call.output = arguments[++i];
    } else if (word == "--no-images") {
      call.images = false;
    } else if (!call.options.empty() || word.starts_with("-")) {
      call.options.push_back(word);
    } else {
      call.runs.emplace_back(word);
    }
  }
  if (call.runs.empty())
    throw core::usage_error("report: no run is given").detail("lowbit report -h says what one is");
  if (!call.images && !call.options.empty())
    throw core::usage_error("report: '{}' cannot be combined with --no-images",
                            call.options.front());
  return call;
}

fs::path default_output(const ReportCall& call, const std::vector<report::ReportedRun>& runs) {
  if (call.runs.size() > 1) return "report.html";
  const fs::path& given = call.runs.front();
  return (core::is_folder(given) ? given : runs.front().data.folder) / "report.html";
}

}  // namespace

int report(const Arguments& arguments) {
  if (ask_for_help(arguments)) {
    print_lines(report_usage);
    return 0;
  }
  const ReportCall call = read_report_call(arguments);
  constexpr size_t kPictures = 48;  // of a run
  log_to_console();
  std::vector<report::ReportedRun> runs;
  for (const fs::path& path : call.runs)
    for (report::RunData& data : report::read_runs(path)) runs.push_back({std::move(data), {}});
  const fs::path output = call.output.empty() ? default_output(call, runs) : call.output;
  core::require_writable(output, core::Special::written);
  for (report::ReportedRun& run : runs)
    if (call.images)
      run.flips = report::find_flips(run.data, call.options, kPictures);
    else
      run.flips.missing = "--no-images";
  core::replace_file(output, report::page(runs));
  print("wrote {}\n", output.string());
  return 0;
}

}  // namespace lowbit::app
