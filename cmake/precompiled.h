// Compiled once, used by every target that needs LibTorch.
#pragma once
#include <fmt/format.h>
#include <torch/torch.h>
