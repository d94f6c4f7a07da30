// Comparison of networks with recorded runs of the original system ("parity cases").
//
// A case is a JSON file: the options of one network, the names and shapes of its state, and what
// one training pass (forward, backward) and one evaluation pass after it gave in float64. Weights
// and input are made from names (name_fill.h).
#pragma once

#include <torch/types.h>

#include <filesystem>
#include <memory>
#include <string>

#include "lowbit/models/network.h"
#include "lowbit/parity/tolerances.h"

namespace lowbit::parity {

struct ParityResult {
  std::string name;
  // Relative errors, infinite where a value is not finite: of logits the largest, relative to the
  // largest logit; of gradients and state the larger one of sum and L2 norm of the worst tensor.
  double logits = 0, loss = 0, gradients = 0, eval_logits = 0, state = 0;
  bool gradients_compared = true;
  bool ok = false;
  std::string message;  // why it is not ok; empty if it is
};

// Where a case runs, and in which type. float16 and bfloat16 are types of the input; parameters are
// float32 then.
struct ParityRun {
  torch::Device device = torch::kCPU;
  torch::ScalarType type = torch::kFloat64;
};

// Runs the case in `file`. Whatever hinders it (an unreadable file, an option that is not built) is
// the message of a result that is not ok.
ParityResult run_parity(const std::filesystem::path& file, const ToleranceTable& tolerances = {},
                        const ParityRun& run = {});

// The network of the case in `file` with its weights, and its input [B, 3, H, W]. Errors name the
// file or the option.
struct ParityNetwork {
  std::shared_ptr<models::Network> network;
  torch::Tensor images;
};
ParityNetwork parity_network(const std::filesystem::path& file, const ParityRun& run = {});

// One line: name, largest relative error of logits (of both passes), loss, gradients ("-": not
// compared) and state, ok or FAIL, and the message.
std::string format_line(const ParityResult& result);

}  // namespace lowbit::parity
