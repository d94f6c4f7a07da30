// Whether a packed file gives what its network gives: bit for bit what LibTorch computes of the
// same program, and how near the trained network itself.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>

#include "lowbit/exec/graph_module.h"
#include "lowbit/runtime/packed_network.h"
#include "lowbit/runtime/program_generated.h"

namespace lowbit::deploy {

struct Proof {
  int64_t images = 0;
  int64_t values = 0;             // tensors compared, over all images
  int64_t numbers = 0;            // codes and reals in them, all of which were equal to the bit
  int64_t disagreeing = 0;        // images to which the trained network gives another class
  double largest_difference = 0;  // of a logit, in units of the largest logit
  int64_t right_trained = 0, right_packed = 0;  // correct answers

  void add(const Proof& other);
  // For people: "512 images: every code and logit ... bit for bit; ..."
  std::string text() const;
};

class Prover {
 public:
  // Both must stay as they are, the network in evaluation mode.
  Prover(exec::GraphModule& network, const packed::ModelT& model);

  // Compares on images: pixels uint8 [B, H, W, 3], the same as the trained network sees them,
  // `images` float32 [B, 3, H, W], and labels int64 [B]. Every value that the runtime lays down is
  // compared, with the fastest kernels and one thread; of the first image with the plain ones, too.
  // An Error (failure) names the layer of the first difference, or of the first number that is not
  // finite.
  Proof prove(const torch::Tensor& pixels, const torch::Tensor& images,
              const torch::Tensor& labels);

 private:
  exec::GraphModule& network_;
  const packed::ModelT& model_;
  runtime::PackedNetwork fast_, plain_;
};

}  // namespace lowbit::deploy
