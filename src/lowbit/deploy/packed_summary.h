// What a packed file consists of, as the runtime does it on this machine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lowbit/deploy/packed_size.h"
#include "lowbit/models/summary.h"
#include "lowbit/runtime/packed_network.h"

namespace lowbit::deploy {

// Steps that the runtime does together: a convolution and what follows it, or another step.
struct PackedLayer {
  std::string name;                    // as in checkpoints; "" where the file has none
  std::string kind;                    // conv, depthwise, grouped, linear, or the last operation
  std::vector<int64_t> input, output;  // channels, height, width
  bool multiplies = false;             // a convolution, or linear: what follows is of these
  int64_t weight_bits = 0;             // of all planes together; 32: float32
  int64_t activation_bits = 0;         // of its input; 32: float32
  int64_t multiply_accumulates = 0;    // of one image
  size_t bytes = 0;                    // in the file, of all numbers of these steps
  std::string kernel;                  // that computes it
};

struct PackedSummary {
  std::string not_finite;           // first_not_finite() of the program
  std::vector<PackedLayer> layers;  // in the order of computation
  std::vector<SizePart> sizes;

  models::Costs multiply_accumulates() const;
};

// network: the one of the file. An Error (failure) if that cannot be read.
PackedSummary summarize(const runtime::PackedNetwork& network, const std::string& path);

// The layers as a table, the multiply-accumulates, the bytes. Lines end with a newline.
std::string format_summary(const PackedSummary& summary);

}  // namespace lowbit::deploy
