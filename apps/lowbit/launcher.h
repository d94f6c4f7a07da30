// Several processes that train one network: started, watched, stopped together.
#pragma once

#include "commands.h"
#include "lowbit/config/train_options.h"

namespace lowbit::app {

// The exit status of a process that ended because another one of its run did.
inline constexpr int kLostPeer = 75;

// Whether this process is one that launch() started.
bool is_launched();

// Runs `lowbit` with the arguments in `count` processes on this machine, with the environment that
// torchrun would give them. The first shows what it has to say; of the others only the errors of
// one that fails. Where one fails or is killed the others are stopped within seconds. Returns the
// exit status of the run. An Error (failure) naming the process, if one was killed.
int launch(const Arguments& arguments, int count, const config::TrainOptions& options);

// In a process that launch() started: it ends with the one that started it.
void end_with_launcher();

}  // namespace lowbit::app
