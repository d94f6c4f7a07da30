// What a person wants to know before and after a run.
#pragma once

#include "lowbit/config/parse.h"
#include "lowbit/train/trainer.h"

namespace lowbit::app {

// A folder of any pictures says how many classes there are, where no option does.
void use_classes_of_files(config::Configuration& configuration);

// Throws what the run would fail with for want of a file or a device, before it has written any.
// Data that are missing are downloaded where that is possible.
void require_inputs(const config::Options& options);

// Logs a warning for each file that the run will need and that is not there.
void warn_of_missing_files(const config::Options& options);

// Evaluates, and logs the accuracy.
void evaluate(train::Trainer& trainer);

// Accuracy, size, where the files lie.
void print_summary(const train::Trainer& trainer, const run::RunResult& result);

// What to try next.
void print_next_steps(const config::Configuration& configuration, const run::RunFiles& files);

}  // namespace lowbit::app
