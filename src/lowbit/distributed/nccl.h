// NCCL behind c10d's interface; a build without CUDA has none.
#pragma once

#include <torch/types.h>

#include <chrono>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include "lowbit/distributed/place.h"

namespace lowbit::distributed {

// An Error (failure) in a build without CUDA.
c10::intrusive_ptr<c10d::Backend> open_nccl(const c10::intrusive_ptr<c10d::Store>& store,
                                            const Place& place, torch::Device device,
                                            std::chrono::milliseconds longest_wait);

}  // namespace lowbit::distributed
