#include "lowbit/config/parse.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lowbit/config/keyword.h"
#include "lowbit/config/match.h"
#include "lowbit/config/option_table.h"
#include "lowbit/config/resolve.h"
#include "lowbit/core/json_text.h"

namespace lowbit::config {
namespace {

std::vector<Argument> from_source(std::span<const std::string> words, const std::string& source) {
  std::vector<Argument> arguments;
  for (const std::string& word : words) arguments.push_back(argument(word, source));
  return arguments;
}

Setting setting_of(const Option& option, const GivenOptions& given, const Resolution& resolution,
                   const Options& options) {
  Setting setting{option.name(), option.default_value, "default"};
  if (const auto found = given.find(option.name()); found != given.end()) {
    setting.value = found->second.text();
    setting.source = found->second.where().place();
  } else if (const auto resolved = resolution.sources.find(option.name());
             resolved != resolution.sources.end()) {
    setting.source = resolved->second;
  }
  if (option.show) setting.value = option.show(options);
  return setting;
}

// The words that give an option its present value, none where its default is enough.
std::vector<std::string> words_of(const Option& option, const GivenOptions& given,
                                  const Resolution& resolution, const Options& options) {
  if (option.name() == "--keyword" && !resolution.keywords.empty())
    return {option.name(), join(resolution.keywords, ",")};
  if (!option.show || (!given.count(option.name()) && !resolution.sources.count(option.name())))
    return {};
  const std::string value = option.show(options);
  if (option.arity != Arity::none) return {option.name(), value};
  return value == "true" ? std::vector<std::string>{option.name()} : std::vector<std::string>{};
}

Configuration configure(const GivenOptions& given, Purpose purpose,
                        const std::optional<std::string>& stored_policy = std::nullopt) {
  if (purpose == Purpose::run && given.count("--dry-run")) purpose = Purpose::dry_run;
  Configuration result;
  result.warnings = apply(given, result.options);
  Resolution resolution = resolve(given, purpose, stored_policy, result.options);
  for (std::string& warning : resolution.warnings) result.warnings.push_back(std::move(warning));
  for (const Option& option : all_options()) {
    if (!option.stands_for.empty()) continue;
    result.settings.push_back(setting_of(option, given, resolution, result.options));
    for (std::string& word : words_of(option, given, resolution, result.options))
      result.arguments.push_back(std::move(word));
  }
  return result;
}

// What is in `given` counts least, the command line most.
Configuration configure(const std::optional<std::filesystem::path>& config_file,
                        std::span<const std::string> command_line, const Environment& environment,
                        Purpose purpose, GivenOptions given = {}) {
  std::vector<std::string> warnings;
  if (config_file) {
    ConfigFile file = read_config(*config_file, environment);
    warnings = std::move(file.warnings);
    match(arguments_of(file), given);
  }
  match(from_source(command_line, "command line"), given);
  try {
    Configuration result = configure(given, purpose);
    result.warnings.insert(result.warnings.begin(), warnings.begin(), warnings.end());
    return result;
  } catch (core::Error& error) {
    // A misspelled name of the file may well be why something else is missing.
    for (const std::string& warning : warnings) error.detail(warning);
    throw;
  }
}

}  // namespace

void Configuration::use_classes(int classes, const std::string& source) {
  const std::string option = "--num_classes";
  const auto setting = std::ranges::find(settings, option, &Setting::name);
  const std::string& dataset = options.data.dataset;
  if ((dataset != "imagenet" && dataset != "dali") || setting->source != "data set " + dataset)
    return;
  classes = std::max(classes, 2);
  options.model.num_classes = options.data.num_classes = classes;
  setting->value = std::to_string(classes);
  setting->source = source;
  const auto word = std::ranges::find(arguments, option);
  if (word != arguments.end()) *std::next(word) = setting->value;
}

std::string Configuration::to_json() const {
  nlohmann::json json = {{"arguments", arguments}};
  if (!options.model.policy.text.empty()) json["policy"] = options.model.policy.text;
  return core::json_text(json);
}

Configuration Configuration::from_json(std::string_view json,
                                       std::span<const std::string> command_line) {
  std::vector<std::string> arguments;
  std::optional<std::string> policy;
  try {
    const nlohmann::json stored = core::parse_json(json);
    arguments = stored.at("arguments").get<std::vector<std::string>>();
    if (stored.contains("policy")) policy = stored.at("policy").get<std::string>();
  } catch (const nlohmann::json::exception& error) {
    throw core::failure("the description in the checkpoint is damaged").detail(error.what());
  }
  GivenOptions given;
  match(from_source(arguments, "checkpoint"), given);
  match(from_source(command_line, "command line"), given);
  return configure(given, Purpose::run, policy);
}

std::vector<Setting> common_settings(const Configuration& configuration) {
  std::vector<Setting> common;
  for (const Setting& setting : configuration.settings) {
    const auto option = std::ranges::find(all_options(), setting.name, &Option::name);
    if (!option->may_differ) common.push_back(setting);
  }
  common.push_back({"text of --policy", configuration.options.model.policy.text, ""});
  return common;
}

Configuration parse_run(const std::optional<std::filesystem::path>& config_file,
                        std::span<const std::string> command_line, const Environment& environment) {
  GivenOptions given;
  if (const std::optional<std::string> delay = environment("DELAY"); delay && !delay->empty())
    match(from_source(std::vector<std::string>{"--delay", *delay}, "environment DELAY"), given);
  return configure(config_file, command_line, environment, Purpose::run, std::move(given));
}

Configuration parse_network(const std::optional<std::filesystem::path>& config_file,
                            std::span<const std::string> command_line,
                            const Environment& environment) {
  return configure(config_file, command_line, environment, Purpose::network);
}

Configuration parse_options(std::span<const std::string> command_line) {
  return parse_network(std::nullopt, command_line);
}

Options parse_values(std::span<const std::string> command_line, Options defaults) {
  GivenOptions given;
  match(from_source(command_line, "command line"), given);
  for (const auto& [name, each] : given) {
    if (name == "--keyword")
      for (const Argument& word : split(each.words.front(), kKeywordSeparators))
        known_keyword(word);
    else if (each.option->set)
      each.option->set(defaults, each.words);
  }
  if (const auto dataset = given.find("--dataset"); dataset != given.end())
    defaults.data.dataset = dataset->second.text();
  return defaults;
}

}  // namespace lowbit::config
