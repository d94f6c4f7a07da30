// The state of an optimizer in a checkpoint: the form of torch's state_dict(), where groups list
// the numbers of their parameters and, in newer files, their names.
#pragma once

#include <string>
#include <vector>

#include "lowbit/checkpoint/value.h"
#include "lowbit/optim/optimizer.h"

namespace lowbit::optim {

// As torch's optimizers of named parameters write it: numbered through all groups. rates: by group.
checkpoint::Dict optimizer_state(const Optimizer& optimizer, const std::vector<double>& rates);

// Puts saved state back by the names of the parameters, whatever groups they are in now; where the
// file has no names, by place: its parameters are then those of `order`. Parameters without state
// in the file begin at 0, with a warning that names `path` and the first. An Error (failure) where
// the state is another optimizer's, or where places are counted and their number differs, or a
// shape does not fit: it names the entry. Nothing is changed then.
void restore_optimizer(const checkpoint::Value& saved, const std::vector<std::string>& order,
                       const Optimizer& optimizer, const std::string& path);

// The names of all its parameters, group after group; empty where a group has none.
std::vector<std::string> saved_names(const checkpoint::Value& saved);
size_t saved_parameters(const checkpoint::Value& saved);

}  // namespace lowbit::optim
