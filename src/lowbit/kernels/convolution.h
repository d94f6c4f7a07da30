// Convolutions of few channels, channels-last, on tensor cores: products of 16-bit numbers, summed
// in float32, rounded once, in an order that depends on the shape alone.
//
// Arrays are float16 or bfloat16, all of one type; every address is a multiple of 16 bytes. Only
// CUDA has them. Wrong arguments are an Error (usage).
#pragma once

#include <cstdint>

#include "lowbit/kernels/types.h"

namespace lowbit::kernels {

struct ConvolutionShape {
  std::int64_t batch = 0;
  std::int64_t height = 0, width = 0;  // of x
  std::int64_t in = 0, out = 0;        // channels
  std::int64_t kernel = 3;             // a side: 1 or 3; the padding is kernel / 2
  std::int64_t stride = 1;             // 1 or 2

  std::int64_t out_height() const { return (height - 1) / stride + 1; }
  std::int64_t out_width() const { return (width - 1) / stride + 1; }
};

// Whether the current device has a kernel for the shape: of 16, 32 or 64 channels on each side, or
// of an image's 3 under a 3 x 3 kernel, and at most 64 pixels in a row of y. Not where 64 channels
// have so many pixels that a library is as fast.
bool has_convolution(const ConvolutionShape& shape);

struct ConvolutionForward {
  Input x;       // [batch, height, width, in]
  Input weight;  // [out, kernel, kernel, in]
  Output y;      // [batch, out_height, out_width, out]
  ConvolutionShape shape;
};
void convolution_forward(const ConvolutionForward& args, Stream stream);

// Device memory that the gradient of the weight takes while it is computed.
std::int64_t convolution_workspace_bytes(const ConvolutionShape& shape);

struct ConvolutionBackward {
  Input grad_y;          // as y
  Input x, weight;       // of the forward pass
  Output grad_x{};       // as x; null: not wanted. Not of 3 channels.
  Output grad_weight{};  // as weight; null: not wanted
  void* workspace = nullptr;
  ConvolutionShape shape;
};
void convolution_backward(const ConvolutionBackward& args, Stream stream);

}  // namespace lowbit::kernels
