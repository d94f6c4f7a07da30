// A run as a checkpoint: everything that continuing it exactly, or using its network alone, takes.
#pragma once

#include <string>
#include <vector>

#include "lowbit/kernels/metrics.h"
#include "lowbit/models/network.h"
#include "lowbit/train/checkpoint_file.h"
#include "lowbit/train/loss_scaler.h"
#include "lowbit/train/sgd.h"
#include "lowbit/train/state_dict.h"

namespace lowbit::train {

// How far a run has come. All randomness is a function of seed, epoch and sample, so that these
// numbers also are the random state.
struct RunPosition {
  int epoch = 0;             // the epoch under way, from 0
  int64_t samples = 0;       // of it, already trained on
  kernels::Totals totals{};  // of those
  double best_top1 = 0;      // per cent
  int best_epoch = 0;
};

// What a checkpoint says about the network beside its tensors.
struct Description {
  std::string configuration;  // config::Configuration::to_json()
  std::vector<std::string> class_names;
};

struct Rates {
  double base = 0;  // before the schedule
  double now = 0;   // of the epoch that comes next
};

// The entries of PyTorch's usual training scripts (epoch, state_dict, optimizer, scheduler,
// best_acc, learning_rate, amp) and one of our own, `lowbit`: position and description.
Dict checkpoint_of(const models::Network& network, const Sgd& optimizer, const LossScaler& scaler,
                   const RunPosition& position, const Description& description, const Rates& rates);

// Whether the file is a checkpoint of ours.
bool has_description(const Value& checkpoint);

// The description inside a checkpoint of ours; an Error (failure) naming `path` for any other file.
Description description_of(const Value& checkpoint, const std::string& path);

// The epoch that a run goes on with, from 0: the entry `epoch`, as any training script has it. An
// Error (failure) naming `path` if the file has none.
int next_epoch(const Value& checkpoint, const std::string& path);

// Puts a run back where checkpoint_of saw it. An Error (failure) naming `path` if the file lacks
// what that takes (it is another program's, or of another network).
RunPosition restore_run(const Value& checkpoint, const std::string& path, models::Network& network,
                        Sgd& optimizer, LossScaler& scaler);

}  // namespace lowbit::train
