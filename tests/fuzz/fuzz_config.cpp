// Any bytes as a config file, on to the options that its words give.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lowbit/config/config_file.h"
#include "lowbit/config/parse.h"
#include "lowbit/core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lowbit::config;
  const Environment environment = [](const std::string& name) {
    return name == "HOME" ? std::optional<std::string>("/home/user") : std::nullopt;
  };
  try {
    const ConfigFile file =
        parse_config({reinterpret_cast<const char*>(data), size}, "config.fuzz", environment);
    std::vector<std::string> words;
    for (const Argument& argument : arguments_of(file)) words.push_back(argument.text);
    const Configuration configuration = parse_run(std::nullopt, words, environment);
    Configuration::from_json(configuration.to_json());
  } catch (const lowbit::core::Error&) {
  }
  return 0;
}
