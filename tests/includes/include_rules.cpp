#include "include_rules.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

namespace lowbit::includes {
namespace fs = std::filesystem;
namespace {

struct Rule {
  std::set<std::string> below;  // what it stands on directly; what those stand on is included too
  bool torch;                   // whether it may use LibTorch
};

const std::map<std::string, Rule>& rules() {
  static const std::map<std::string, Rule> table = {
      {"core", {{}, false}},
      {"config", {{"core"}, false}},
      {"graph", {{"config"}, false}},
      {"passes", {{"graph"}, false}},
      {"events", {{"core"}, false}},
      {"kernels", {{"core"}, false}},
      {"tensor", {{"kernels"}, true}},
      {"distributed", {{"core"}, true}},
      {"data", {{"config", "tensor", "distributed"}, true}},
      {"quant", {{"config", "tensor", "distributed"}, true}},
      {"nn", {{"quant"}, true}},
      {"exec", {{"nn", "passes"}, true}},
      {"models", {{"exec"}, true}},
      {"parity", {{"models"}, true}},
      {"checkpoint", {{"models"}, true}},
      {"optim", {{"checkpoint"}, true}},
      {"run", {{"optim", "events"}, true}},
      {"train", {{"run", "data"}, true}},
      {"report", {{"train"}, true}},
      {"runtime", {{"core"}, false}},
      {"onnx", {{"runtime"}, false}},
      {"deploy", {{"models", "runtime"}, true}},
  };
  return table;
}

bool may_include(const std::string& from, const std::string& to) {
  const std::set<std::string>& below = rules().at(from).below;
  return from == to || std::any_of(below.begin(), below.end(), [&](const std::string& folder) {
           return may_include(folder, to);
         });
}

bool is_of_torch(const std::string& header) {
  static const std::regex pattern("(torch|ATen|c10|caffe2)/.*");
  return std::regex_match(header, pattern);
}

// "lowbit/core/log.h" -> "core"; empty for a header that is not of src/lowbit.
std::string folder_of(const std::string& header) {
  static const std::regex pattern("lowbit/([^/]+)/.*");
  std::smatch match;
  return std::regex_match(header, match, pattern) ? match[1].str() : "";
}

// Why the folder, "apps" or one of src/lowbit, may not depend on the other one; empty if it may.
std::string against_folder(const std::string& from, const std::string& to) {
  if (!rules().contains(to)) return "there is no folder src/lowbit/" + to + " in the rules";
  if (from == "apps" || may_include(from, to)) return "";
  return from + " may not depend on " + to;
}

std::string against_include(const std::string& from, const std::string& header) {
  if (header.find("..") != std::string::npos) return "include by the path from src: " + header;
  if (header.starts_with("apps/")) return "nothing includes the programs: " + header;
  if (from == "apps") return "";
  if (is_of_torch(header) && !rules().at(from).torch)
    return from + " does without LibTorch: " + header;
  const std::string to = folder_of(header);
  return to.empty() ? "" : against_folder(from, to);
}

std::string against_line_of_source(const std::string& from, const std::string& line) {
  static const std::regex pattern(R"re(\s*#\s*include\s*[<"]([^>"]+)[>"].*)re");
  std::smatch match;
  return std::regex_match(line, match, pattern) ? against_include(from, match[1]) : "";
}

std::string against_line_of_cmake(const std::string& from, const std::string& line) {
  static const std::regex target("lowbit_([a-z]+)");
  for (std::sregex_iterator it(line.begin(), line.end(), target), end; it != end; ++it) {
    const std::string to = (*it)[1];
    if (rules().contains(to) && !may_include(from, to)) return against_folder(from, to);
  }
  const bool uses_torch = line.find("TORCH") != std::string::npos;
  return uses_torch && !rules().at(from).torch ? from + " does without LibTorch" : "";
}

// Appends the offences of one file.
void check_file(const fs::path& root, const fs::path& file, const std::string& from,
                std::vector<std::string>& found) {
  const bool cmake = file.filename() == "CMakeLists.txt" && from != "apps";
  if (!cmake && !std::set<std::string>{".h", ".cpp", ".cu", ".cuh"}.contains(file.extension())) {
    return;
  }
  std::ifstream stream(file);
  std::string line;
  for (int number = 1; std::getline(stream, line); ++number) {
    const std::string why =
        cmake ? against_line_of_cmake(from, line) : against_line_of_source(from, line);
    if (why.empty()) continue;
    std::ostringstream text;
    text << fs::relative(file, root).string() << ':' << number << ": " << why;
    found.push_back(text.str());
  }
}

void check_tree(const fs::path& root, const fs::path& folder, const std::string& from,
                std::vector<std::string>& found) {
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) check_file(root, entry.path(), from, found);
  }
}

}  // namespace

std::vector<std::string> offences(const fs::path& root) {
  std::vector<std::string> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(root / "src/lowbit")) {
    if (!entry.is_directory()) continue;
    const std::string folder = entry.path().filename();
    if (rules().contains(folder)) {
      check_tree(root, entry.path(), folder, found);
    } else {
      found.push_back("src/lowbit/" + folder + ": there is no such folder in the rules");
    }
  }
  check_tree(root, root / "apps", "apps", found);
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace lowbit::includes
