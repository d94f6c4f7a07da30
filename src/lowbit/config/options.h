// Everything that a run is told, from its config file and command line.
#pragma once

#include "lowbit/config/data_options.h"
#include "lowbit/config/model_options.h"
#include "lowbit/config/train_options.h"

namespace lowbit::config {

struct Options {
  ModelOptions model;
  DataOptions data;
  TrainOptions train;

  bool operator==(const Options&) const = default;
};

}  // namespace lowbit::config
