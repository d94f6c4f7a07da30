// The network that a student learns from.
#pragma once

#include <filesystem>
#include <memory>

#include "lowbit/config/options.h"
#include "lowbit/models/network.h"

namespace lowbit::train {

// The file of --distill_teacher's weights: --distill_weights, else the name of --pretrained, under
// WEIGHTS_DIR/<teacher>/, WEIGHTS_DIR/, or as a path of its own. An Error (failure) if there is
// none.
std::filesystem::path find_teacher_weights(const config::Options& options);

// The network --distill_teacher with those weights, on the CPU, in evaluation mode, untrainable.
// Its structure is what the file says of itself; a file that says nothing (another program's) holds
// a full-precision network with the keywords of the student. An Error (failure) if the file is of
// another model or lacks weights of the network; (usage) if it has other classes than the student.
std::shared_ptr<models::Network> make_teacher(const config::Options& options);

}  // namespace lowbit::train
