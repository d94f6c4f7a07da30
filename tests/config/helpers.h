// What the tests of this folder share.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "lowbit/config/parse.h"
#include "lowbit/core/error.h"

namespace lowbit::config {

inline Environment environment_of(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

// The first line of the usage error that `call` throws; "" if it throws none.
inline std::string usage_error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const core::Error& error) {
    EXPECT_EQ(error.kind(), core::ErrorKind::usage) << error.what();
    return error.what();
  }
  return "";
}

inline std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words;
  for (const Argument& word : split(argument(line, ""), " ")) words.push_back(word.text);
  return words;
}

// A run of a bare command line, blanks between its words.
inline Configuration run(const std::string& line) {
  return parse_run(std::nullopt, words_of(line), environment_of({}));
}
inline std::string run_error(const std::string& line) {
  return usage_error_of([&] { run(line); });
}

// A command line that is right as it is, for tests that add to it.
inline const std::string kFashion = "--dataset fashion --model resnet20 --keyword cbsa,origin ";
inline const std::string kLsq =
    "--dataset fashion --model resnet20 --keyword cbsa,origin,dorefa,lsq --fm_enable --fm_bit 2 "
    "--wt_enable --wt_bit 2 ";

// A config file with this content, removed at the end.
class TemporaryConfig {
 public:
  explicit TemporaryConfig(const std::string& content)
      : path_(std::filesystem::path(testing::TempDir()) /
              ("config." +
               std::string(testing::UnitTest::GetInstance()->current_test_info()->name()))) {
    std::ofstream(path_) << content;
  }
  ~TemporaryConfig() { std::filesystem::remove(path_); }
  TemporaryConfig(const TemporaryConfig&) = delete;
  TemporaryConfig& operator=(const TemporaryConfig&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // "PATH:LINE"
  std::string at(int line) const { return path_.string() + ":" + std::to_string(line); }
  Configuration run(const std::string& line = "") const {
    return parse_run(path_, words_of(line), environment_of({}));
  }
  std::string error(const std::string& line = "") const {
    return usage_error_of([&] { run(line); });
  }

 private:
  std::filesystem::path path_;
};

inline const Setting& setting(const Configuration& configuration, const std::string& name) {
  for (const Setting& each : configuration.settings)
    if (each.name == name) return each;
  throw std::out_of_range(name);
}

}  // namespace lowbit::config
