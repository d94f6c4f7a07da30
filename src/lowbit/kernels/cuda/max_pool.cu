#include "lowbit/kernels/cuda/max_pool.h"
#include "lowbit/kernels/cuda/vectors.cuh"

namespace lowbit::kernels::cuda {
namespace {

constexpr int kPoolThreads = 256;
// Images whose same pixel one thread has, one after another: it finds its windows once.
constexpr int kPoolImages = 8;

struct PoolArgs {
  PoolAxis height, width;
  int images, vectors;
};

// The kChannelWidth channels of the same pixel of several images that a thread has.
struct PoolShare {
  int row, column, vector, first_image, last_image;

  // rows x columns: of the side that threads are dealt out over.
  __device__ PoolShare(const PoolArgs& args, int rows)
      : row(blockIdx.x % rows), first_image(blockIdx.x / rows * kPoolImages) {
    const int in_row = blockIdx.y * kPoolThreads + threadIdx.x;
    column = in_row / args.vectors;
    vector = in_row % args.vectors;
    last_image = min(first_image + kPoolImages, args.images);
  }
};

template <class X>
__global__ void __launch_bounds__(kPoolThreads)
    forward_kernel(const X* x, X* y, std::uint8_t* places, PoolArgs args) {
  constexpr int W = kChannelWidth<X>;
  const PoolAxis &height = args.height, &width = args.width;
  const PoolShare share(args, height.windows);
  if (share.column >= width.windows) return;
  const int top = height.first_pixel(share.row), bottom = height.last_pixel(share.row);
  const int left = width.first_pixel(share.column), right = width.last_pixel(share.column);
  for (int image = share.first_image; image < share.last_image; ++image) {
    float largest[W];
    int found[W];
    bool first = true;
    for (int h = top; h < bottom; ++h) {
      const int place =
          height.place(h, share.row) * width.kernel - share.column * width.stride + width.padding;
      const X* row =
          x +
          ((std::int64_t{image} * height.size + h) * width.size * args.vectors + share.vector) * W;
#pragma unroll 3
      for (int w = left; w < right; ++w) {
        const auto values = load<W>(row + std::int64_t{w} * args.vectors * W);
        for (int k = 0; k < W; ++k) {
          const float value = static_cast<float>(values.at[k]);
          const bool wins = first || is_new_maximum(value, largest[k]);
          largest[k] = wins ? value : largest[k];
          found[k] = wins ? place + w : found[k];
        }
        first = false;
      }
    }
    Vector<X, W> result;
    Vector<std::uint8_t, W> result_places;
    for (int k = 0; k < W; ++k) {
      result.at[k] = static_cast<X>(largest[k]);
      result_places.at[k] = static_cast<std::uint8_t>(found[k]);
    }
    const std::int64_t window =
        (std::int64_t{image} * height.windows + share.row) * width.windows + share.column;
    store(y + (window * args.vectors + share.vector) * W, result);
    store(places + (window * args.vectors + share.vector) * W, result_places);
  }
}

// Every pixel takes the gradients of the windows whose maximum it is.
template <class X>
__global__ void __launch_bounds__(kPoolThreads)
    backward_kernel(const X* grad_y, const std::uint8_t* places, X* grad_x, PoolArgs args) {
  constexpr int W = kChannelWidth<X>;
  const PoolAxis &height = args.height, &width = args.width;
  const PoolShare share(args, height.size);
  if (share.column >= width.size) return;
  const int top = height.first_window(share.row), bottom = height.last_window(share.row);
  const int left = width.first_window(share.column), right = width.last_window(share.column);
  for (int image = share.first_image; image < share.last_image; ++image) {
    float sum[W] = {};
    for (int row = top; row < bottom; ++row)
      for (int column = left; column < right; ++column) {
        const int place =
            height.place(share.row, row) * width.kernel + width.place(share.column, column);
        const std::int64_t window =
            (std::int64_t{image} * height.windows + row) * width.windows + column;
        const auto gradients = load<W>(grad_y + (window * args.vectors + share.vector) * W);
        const auto found = load<W>(places + (window * args.vectors + share.vector) * W);
        for (int k = 0; k < W; ++k)
          if (found.at[k] == place) sum[k] += static_cast<float>(gradients.at[k]);
      }
    Vector<X, W> result;
    for (int k = 0; k < W; ++k) result.at[k] = static_cast<X>(sum[k]);
    const std::int64_t pixel =
        (std::int64_t{image} * height.size + share.row) * width.size + share.column;
    store(grad_x + (pixel * args.vectors + share.vector) * W, result);
  }
}

PoolArgs pool_args(const MaxPoolShape& shape, int width) {
  return {shape.height, shape.width, static_cast<int>(shape.batch),
          static_cast<int>(shape.channels / width)};
}

dim3 blocks_of(const PoolArgs& args, int rows, int columns) {
  const int chunks = (args.images + kPoolImages - 1) / kPoolImages;
  return {static_cast<unsigned>(chunks) * rows,
          static_cast<unsigned>((columns * args.vectors + kPoolThreads - 1) / kPoolThreads)};
}

}  // namespace

void max_pool_forward(const MaxPoolForward& args, Stream stream) {
  visit_features(args.x.type, [&]<class X>(Type<X>) {
    const PoolArgs pool = pool_args(args.shape, kChannelWidth<X>);
    const dim3 blocks = blocks_of(pool, pool.height.windows, pool.width.windows);
    forward_kernel<X><<<blocks, kPoolThreads, 0, static_cast<cudaStream_t>(stream)>>>(
        static_cast<const X*>(args.x.data), static_cast<X*>(args.y.data), args.places, pool);
  });
  check_launch("max_pool_forward");
}

void max_pool_backward(const MaxPoolBackward& args, Stream stream) {
  visit_features(args.grad_y.type, [&]<class X>(Type<X>) {
    const PoolArgs pool = pool_args(args.shape, kChannelWidth<X>);
    const dim3 blocks = blocks_of(pool, pool.height.size, pool.width.size);
    backward_kernel<X><<<blocks, kPoolThreads, 0, static_cast<cudaStream_t>(stream)>>>(
        static_cast<const X*>(args.grad_y.data), args.places, static_cast<X*>(args.grad_x.data),
        pool);
  });
  check_launch("max_pool_backward");
}

}  // namespace lowbit::kernels::cuda
