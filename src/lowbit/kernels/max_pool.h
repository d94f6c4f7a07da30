// Maximum over windows of pixels, channels-last, by the rules of math/max_pool.h. The backward pass
// adds in a fixed order.
//
// Types: those of the two arrays of features are equal.
//   float64, float32                    reference (which is also the back end cpu)
//   float32, float16, bfloat16          cuda; `channels` times the size of an element is a multiple
//                                       of 16 bytes, and so is every address
// Wrong arguments are an Error (usage).
#pragma once

#include <cstdint>

#include "lowbit/kernels/math/max_pool.h"
#include "lowbit/kernels/types.h"

namespace lowbit::kernels {

struct MaxPoolShape {
  std::int64_t batch = 0, channels = 0;
  // At most 255 pixels in a window; every window has a pixel.
  PoolAxis height{}, width{};
};

struct MaxPoolForward {
  Input x;                         // [batch, height.size, width.size, channels]
  Output y;                        // [batch, height.windows, width.windows, channels]
  std::uint8_t* places = nullptr;  // like y: row * width.kernel + column in the window
  MaxPoolShape shape;
};
void max_pool_forward(Backend backend, const MaxPoolForward& args, Stream stream = nullptr);

struct MaxPoolBackward {
  Input grad_y;                          // as y
  const std::uint8_t* places = nullptr;  // of the forward pass
  Output grad_x;                         // as x, overwritten
  MaxPoolShape shape;
};
void max_pool_backward(Backend backend, const MaxPoolBackward& args, Stream stream = nullptr);

}  // namespace lowbit::kernels
