// Going on with a run that another program began.
#pragma once

#include <string>

#include "lowbit/optim/update.h"
#include "lowbit/run/run_state.h"

namespace lowbit::run {

// Takes from a checkpoint of a PyTorch script (QTool's, torchvision's references) what it says of
// its run: epoch, best_acc, state of the optimizer, loss scale; the network's tensors are loaded
// already. Where the file does not name parameters, it numbers them in the order of the network.
// What it lacks begins anew, with a warning. An Error (failure) naming `path` if it has no epoch,
// or if the optimizer's state is of another optimizer or shape (restore_optimizer).
RunPosition restore_foreign_run(const checkpoint::Value& checkpoint, const std::string& path,
                                const models::Network& network, optim::Update& update);

}  // namespace lowbit::run
