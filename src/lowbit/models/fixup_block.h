// The residual block without norms.
#pragma once

#include "lowbit/models/residual_block.h"

namespace lowbit::models {

// x + parameter [1] in the type of x; an undefined parameter adds nothing.
torch::Tensor add_scalar(const torch::Tensor& x, const torch::Tensor& parameter);

// Fixup (https://arxiv.org/abs/1901.09321): a learned factor on the branch and, with
// options.fixup_bias, a learned scalar before and behind each convolution:
//
//   y = act(conv1(x + 1a) + 1b);  y = conv2(y + 2a);  y = act(y), unless `fix`
//   y = fixup_scale * y + 2b + shortcut;  y = act(y) with `fix`
//
// With order cbas the inner 1b stands behind its activation. A bottleneck has act(conv2(y + 2a) +
// 2b) and conv3(y + 3a) likewise. The shortcut starts from x + 1a where it changes the shape, from
// x where it does not.
//
// At the start the branch is 0 and the other convolutions are Kaiming-normal times
// stages^(-1 / (2 n - 2)), n the number of convolutions.
class FixupBlock : public ResidualBlock {
 public:
  // stages: those of the network. Orders other than cbas and cbsa, several branches, or keyword
  // f0x0 are an Error (usage).
  FixupBlock(const BlockShape& shape, const config::ModelOptions& options, int64_t stages);

 protected:
  torch::Tensor compute_block(const torch::Tensor& x) override;

 private:
  void initialize(int64_t stages);

  bool changes_shape_;
  torch::Tensor scale_;                                   // [1]
  std::vector<torch::Tensor> bias_before_, bias_behind_;  // of each convolution; undefined: none
};

}  // namespace lowbit::models
