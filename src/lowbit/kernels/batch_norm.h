// Batch normalization in training with what follows it, in the passes over memory that it takes
// anyway: y = quantizer(activation(norm(x) + skip)), channels-last. Formulas: math/batch_norm.h,
// math/norm_activation.h, math/feature_quantizer.h.
//
// Every intermediate value is rounded to the type of the features, as if each operation had its own
// pass: y, the gradients of x and of the skip have the same bits then, and the gradient of clip_val
// differs by the order of a sum of doubles.
//
// Types: all features and their gradients have the type of x, parameters and statistics the type
// that is computed in.
//   float64, float32                    reference (which is also the back end cpu)
//   float32, float16, bfloat16          cuda; `channels` is a multiple of
//   channels_per_vector(type),
//                                       at most kMostNormChannels, and addresses of features are
//                                       multiples of 16
// Sums are made in an order that depends on the shape alone. Wrong arguments are an Error (usage).
#pragma once

#include <cstdint>

#include "lowbit/kernels/math/feature_quantizer.h"
#include "lowbit/kernels/math/norm_activation.h"
#include "lowbit/kernels/types.h"

namespace lowbit::kernels {

inline constexpr std::int64_t kMostNormChannels = 8192;
// The workspace of both passes on cuda: zeroed once, as kWorkspaceBytes says.
inline constexpr std::size_t kNormWorkspaceBytes = 1 << 20;

struct BatchNormShape {
  std::int64_t rows = 0;  // > 1: pixels of all images
  std::int64_t channels = 0;
};

struct BatchNormForward {
  Input x;                     // [rows, channels]
  Output y;                    // like x
  const void* skip = nullptr;  // like x; null: none. Not together with a quantizer
  BatchNormShape shape;
  const void* weight = nullptr;  // [channels], as all below
  const void* bias = nullptr;
  void* running_mean = nullptr;  // moved
  void* running_var = nullptr;   // moved
  void* mean = nullptr;          // overwritten, for the backward pass
  void* invstd = nullptr;        // overwritten, for the backward pass
  double momentum = 0.1;
  double eps = 1e-5;
  NormActivation activation = NormActivation::none;
  FeatureQuantizer quantizer;
  void* workspace = nullptr;  // cuda only
};
void batch_norm_forward(Backend backend, const BatchNormForward& args, Stream stream = nullptr);

struct BatchNormBackward {
  Input x;                    // as in the forward pass
  Input grad_y;               // like x
  Output grad_x;              // like x
  const void* y = nullptr;    // what the forward pass gave; only where there was a skip, else null
  void* grad_skip = nullptr;  // like x; only where there was a skip, else null
  BatchNormShape shape;
  const void* weight = nullptr;  // [channels], as all below
  const void* bias = nullptr;
  const void* mean = nullptr;  // of the forward pass, as invstd
  const void* invstd = nullptr;
  void* grad_weight = nullptr;
  void* grad_bias = nullptr;
  NormActivation activation = NormActivation::none;
  FeatureQuantizer quantizer;
  void* grad_clip = nullptr;  // [1], where the quantizer learns
  void* workspace = nullptr;  // cuda only
};
void batch_norm_backward(Backend backend, const BatchNormBackward& args, Stream stream = nullptr);

}  // namespace lowbit::kernels
