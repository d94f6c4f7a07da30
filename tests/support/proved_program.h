// Packed programs of networks, proved on the way.
#pragma once

#include <gtest/gtest.h>

#include "lowbit/deploy/lower.h"
#include "lowbit/deploy/prove.h"
#include "support/recorded_networks.h"

namespace lowbit::testing_support {

// The program of `network`, which the runtime has every bit of, on pixels uint8 [B, H, W, 3]. With
// its ends in float32 it is the network but for roundings; a code next to a threshold may be the
// other one, hence the bound, in units of the largest logit.
inline packed::ModelT proved_program(exec::GraphModule& network,
                                     const deploy::TrainedGraph& trained,
                                     const torch::Tensor& pixels, deploy::Ends ends, double bound) {
  packed::ModelT model = deploy::lower(
      trained, {.ends = ends, .mean = kMean, .std = kStd, .network = "", .classes = {}});
  const deploy::Proof proof =
      deploy::Prover(network, model)
          .prove(pixels, normalized(pixels), torch::zeros({pixels.size(0)}, torch::kInt64));
  EXPECT_GT(proof.numbers, pixels.size(0));
  if (ends == deploy::Ends::float32) {
    EXPECT_LT(proof.largest_difference, bound);
  }
  return model;
}

}  // namespace lowbit::testing_support
