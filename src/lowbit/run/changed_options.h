// Options that are not those of the run that wrote a checkpoint.
#pragma once

#include <string>
#include <vector>

namespace lowbit::run {

// What a checkpoint is loaded for.
enum class LoadPurpose { start, evaluate, resume };

// then, now: config::Configuration::to_json(). Each as "--mean 0.5,0.5,0.5 -> 0.4,0.4,0.4", of the
// options that matter: to start from it those of the images, to evaluate also those of the network,
// to resume also those of training. Empty where `then` is damaged.
std::vector<std::string> changed_options(const std::string& then, const std::string& now,
                                         LoadPurpose purpose);

}  // namespace lowbit::run
