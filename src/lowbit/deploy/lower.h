// A trained network as the packed program of runtime/program.fbs.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "lowbit/deploy/trained_graph.h"
#include "lowbit/runtime/program_generated.h"

namespace lowbit::deploy {

// What becomes of convolutions and linear layers that were trained in full precision, such as the
// first and the last.
enum class Ends {
  int8,     // weights of 8 bits per output channel, inputs of 8 bits: the image's own bytes, or a
            // grid over the range that the calibration images take
  int4,     // the same with weights of 4 bits, but for the layer that reads the image
  float32,  // as trained
};

struct LowerOptions {
  Ends ends = Ends::int8;
  std::array<double, 3> mean{}, std{1, 1, 1};  // per channel, of values in 0..1
  std::string network;                         // for people
  std::vector<std::string> classes;
  int resize = 0;  // of the shorter side, before the center is cut out; 0: none
};

// The program gives for an image what the network in evaluation gives for it, but for float32
// roundings and `ends`. Values have the names of the nodes. Operations that the format cannot say,
// and numbers that float32 cannot hold, are an Error (failure) that names the node.
packed::ModelT lower(const TrainedGraph& trained, const LowerOptions& options);

}  // namespace lowbit::deploy
