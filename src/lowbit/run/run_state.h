// A run as a checkpoint: everything that continuing it exactly, or using its network alone, takes.
#pragma once

#include <string>
#include <vector>

#include "lowbit/checkpoint/checkpoint_file.h"
#include "lowbit/checkpoint/state_dict.h"
#include "lowbit/kernels/metrics.h"
#include "lowbit/models/network.h"
#include "lowbit/optim/update.h"

namespace lowbit::run {

// How far a run has come. All randomness is a function of seed, epoch and sample, so that these
// numbers also are the random state.
struct RunPosition {
  int epoch = 0;             // the epoch under way, from 0
  int64_t samples = 0;       // of it, already trained on
  kernels::Totals totals{};  // of those
  double best_top1 = 0;      // per cent
  int best_epoch = 0;
  int policy_epoch = -1;  // the last epoch whose part of the policy has been applied
};

// What a checkpoint says about the network beside its tensors.
struct Description {
  std::string configuration;  // config::Configuration::to_json()
  std::vector<std::string> class_names;
};

// Of the step that comes next.
struct Rates {
  double schedule = 0;            // without wake-up and custom rates
  std::vector<double> base, now;  // by group of the optimizer: before the schedule, and after it
};

// The entries of PyTorch's usual training scripts (epoch, state_dict, optimizer, scheduler,
// best_acc, learning_rate, amp) and one of our own, `lowbit`: position and description.
checkpoint::Dict checkpoint_of(const models::Network& network, const optim::Update& update,
                               const RunPosition& position, const Description& description,
                               const Rates& rates);

// Whether the file is a checkpoint of ours.
bool has_description(const checkpoint::Value& checkpoint);

// The description inside a checkpoint of ours; an Error (failure) naming `path` for any other file.
Description description_of(const checkpoint::Value& checkpoint, const std::string& path);

// The last epoch whose part of the policy the saved network has seen: RunPosition::policy_epoch of
// a checkpoint of ours; of another program's the one before its entry `epoch`, every one if it has
// none (the weights alone, as a finished run publishes them).
int policy_epoch_of(const checkpoint::Value& checkpoint);

// The epoch that a run goes on with, from 0: the entry `epoch`, as any training script has it. An
// Error (failure) naming `path` if the file has none.
int next_epoch(const checkpoint::Value& checkpoint, const std::string& path);

// Puts a run back where checkpoint_of saw it; the network's tensors are loaded already. An Error
// (failure) naming `path` if the file lacks what that takes (it is another program's, or of another
// network).
RunPosition restore_run(const checkpoint::Value& checkpoint, const std::string& path,
                        optim::Update& update);

}  // namespace lowbit::run
