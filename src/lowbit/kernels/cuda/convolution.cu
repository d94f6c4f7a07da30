#include <algorithm>
#include <bit>

#include "lowbit/kernels/cuda/convolution.h"
#include "lowbit/kernels/cuda/launch.cuh"
#include "lowbit/kernels/cuda/tensor_core.cuh"

namespace lowbit::kernels::cuda {
namespace {

constexpr int kImageChannels = 3;
constexpr int kProduct = 16;  // pixels, and channels, that a product of matrices takes
constexpr int kVector = 8;    // numbers of 16 bytes

// Bytes between rows of 16-bit numbers, chosen so that 8 rows use different banks.
constexpr int pitch(int numbers) {
  return 2 * numbers + 16;
}
template <int numbers>
constexpr int kPitch = pitch(numbers);

constexpr int kWarps = 8, kBlockThreads = 32 * kWarps;
constexpr int kTilePixels = 256;

// Divides numbers below 2^23 by a divisor of at most 256.
struct Divisor {
  unsigned inverse;
  static Divisor of(int divisor) {
    return {((1u << 31) + static_cast<unsigned>(divisor) - 1) / static_cast<unsigned>(divisor)};
  }
  __device__ int divide(int number) const {
    return static_cast<int>(static_cast<std::uint64_t>(number) * inverse >> 31);
  }
};

// Pixels of y that a block has at once: whole images, or rows of one. Its sides are powers of two;
// pixels beyond the border are computed and not stored.
struct Tile {
  int images, rows, columns;
  int row_shift, image_shift;  // of a pixel's number in the tile
  int in_image, count;         // tiles
  Divisor by_in_image;
};

struct Pixel {
  int image, row, column;
  __device__ Pixel(const Tile& tile, int number)
      : image(number >> tile.image_shift),
        row(number >> tile.row_shift & (tile.rows - 1)),
        column(number & (tile.columns - 1)) {}
};

// The first pixel of a tile.
struct Corner {
  int image, row;
  __device__ Corner(const Tile& tile, int number) {
    const int group = tile.by_in_image.divide(number);
    image = group * tile.images;
    row = (number - group * tile.in_image) * tile.rows;
  }
};

// The features that a tile reads: `rows` of `columns` pixels of each image, in
// part beyond the border, from row `stride` times that of the tile less `before`. `width` pixels of
// each row, behind `before` ones, are those of a row of the features.
struct Window {
  int rows, columns, width, stride, before;
  int lines, pixels;  // of all images
  Divisor by_rows, by_columns;
};

// Numbers are below 2^31.
struct Features {
  int batch, height, width, channels;

  __device__ int row(int image, int h) const { return (image * height + h) * width * channels; }
  __device__ bool has_row(int image, int h) const { return image < batch && h >= 0 && h < height; }
};

// The border to the left and right of the features is zero for all tiles.
template <int C>
__device__ void clear_borders(unsigned char* windows, int stages, int stage_bytes,
                              const Window& window) {
  constexpr int kVectors = C / kVector;
  const int cleared = (window.columns - window.width) * kVectors;
  for (int line = threadIdx.x / 32; line < window.lines; line += kWarps)
    for (int k = threadIdx.x % 32; k < cleared; k += 32) {
      const int outside = k / kVectors;
      const int column = outside < window.before ? outside : outside + window.width;
      for (int stage = 0; stage < stages; ++stage)
        *reinterpret_cast<uint4*>(windows + stage * stage_bytes +
                                  (line * window.columns + column) * kPitch<C> +
                                  k % kVectors * 16) = make_uint4(0, 0, 0, 0);
    }
}

// C channels of the window of a tile, the first of them at `from`, without its borders.
template <int C, class X>
__device__ void copy_window(SharedAddress to, const X* from, const Features& all,
                            const Window& window, const Corner& corner) {
  constexpr int kVectors = C / kVector, kPixels = 32 / kVectors;
  const int lane = threadIdx.x % 32, first = lane / kVectors, vector = lane % kVectors;
  to += (window.before + first) * kPitch<C> + vector * 16;
  const int in_row = first * all.channels + vector * kVector;
  for (int line = threadIdx.x / 32; line < window.lines; line += kWarps) {
    const int image = window.by_rows.divide(line);
    const int h = corner.row * window.stride - window.before + line - image * window.rows;
    const bool exists = all.has_row(corner.image + image, h);
    const X* pixels = from + (exists ? all.row(corner.image + image, h) + in_row : 0);
    SharedAddress place = to + line * window.columns * kPitch<C>;
    for (int w = first; w < window.width; w += kPixels) {
      copy_async(place, pixels, exists);
      pixels += kPixels * all.channels;
      place += kPixels * kPitch<C>;
    }
  }
}

// For every column of y the 3 pixels of 3 channels that a row of the kernel sees, as 9 of 16
// channels of one pixel: a kernel of one column is left.
template <class X>
__device__ void spread_window(unsigned char* to, const X* from, const Features& all,
                              const Window& window, const Corner& corner) {
  for (int k = threadIdx.x; k < window.pixels; k += kBlockThreads) {
    const int line = window.by_columns.divide(k), image = window.by_rows.divide(line);
    const int h = corner.row * window.stride - window.before + line - image * window.rows;
    const int first = (k - line * window.columns) * window.stride - window.before;
    const bool in_height = all.has_row(corner.image + image, h);
    const X* pixels = from + all.row(corner.image + image, h) + first * kImageChannels;
    struct alignas(16) {
      X numbers[kProduct];
    } spread;
#pragma unroll
    for (int c = 0; c < kProduct; ++c) {
      const int w = first + c / kImageChannels;
      const bool exists = c < 3 * kImageChannels && in_height && w >= 0 && w < all.width;
      spread.numbers[c] = exists ? pixels[c] : static_cast<X>(0.0f);
    }
    auto* place = reinterpret_cast<uint4*>(to + k * kPitch<kProduct>);
    place[0] = reinterpret_cast<const uint4*>(&spread)[0];
    place[1] = reinterpret_cast<const uint4*>(&spread)[1];
  }
}

// load(tile, stage), then use(tile, stage), for every `blocks`-th tile from `first`. The first tile
// has been loaded into stage 0; while one is used the next is loaded.
template <class Load, class Use>
__device__ void for_each_tile(int first, int blocks, int count, const Load& load, const Use& use) {
  for (int tile = first, stage = 0; tile < count; tile += blocks, stage = 1 - stage) {
    if (tile + blocks < count) load(tile + blocks, 1 - stage);
    end_copies();
    wait_for_copies<1>();
    __syncthreads();
    use(tile, stage);
    __syncthreads();
  }
}

// Two numbers, each rounded, packed in the order of memory.
template <class X>
__device__ std::uint32_t rounded_pair(float first, float second) {
  struct {
    X numbers[2];
  } const pair{static_cast<X>(first), static_cast<X>(second)};
  return reinterpret_cast<const std::uint32_t&>(pair);
}

// Kernels for the pixels of a tile: a warp has 32 of them.
constexpr int kRowsOfWarp = kTilePixels / kWarps / kProduct;  // times kProduct

template <int N>
using PixelSums = float[kRowsOfWarp][N / 8][4];

// The part of a weight [N, 16] or [16, N] that a product takes.
template <int N>
using WeightPart = std::uint32_t[N / kProduct][4];

template <bool transposed, int N>
__device__ void load_weight(WeightPart<N>& part, SharedAddress from, int next) {
#pragma unroll
  for (int n = 0; n < N / kProduct; ++n) load_matrices<transposed>(part[n], from + n * next);
}

// Of few channels a warp keeps the whole weight.
template <int products, int N>
constexpr bool kKeepsWeight = products*(N / kProduct) <= 9;

template <class X, int N>
__device__ void add_product(PixelSums<N>& sums, const SharedAddress (&pixels)[kRowsOfWarp],
                            int offset, const WeightPart<N>& weight) {
  std::uint32_t a[kRowsOfWarp][4];
#pragma unroll
  for (int m = 0; m < kRowsOfWarp; ++m) load_matrices<false>(a[m], pixels[m] + offset);
#pragma unroll
  for (int n = 0; n < N / kProduct; ++n)
#pragma unroll
    for (int m = 0; m < kRowsOfWarp; ++m) {
      multiply_add<X>(sums[m][2 * n], a[m], weight[n][0], weight[n][1]);
      multiply_add<X>(sums[m][2 * n + 1], a[m], weight[n][2], weight[n][3]);
    }
}

// place(number of the pixel in the tile): where its N channels go, or null.
template <class X, int N, class Place>
__device__ void store_pixels(const PixelSums<N>& sums, unsigned char* staged, const Place& place) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  constexpr int kPixels = kRowsOfWarp * kProduct, kVectors = N / kVector;
  staged += warp * kPixels * kPitch<N>;
#pragma unroll
  for (int m = 0; m < kRowsOfWarp; ++m)
#pragma unroll
    for (int n = 0; n < N / 8; ++n)
#pragma unroll
      for (int half = 0; half < 2; ++half)
        *reinterpret_cast<std::uint32_t*>(
            staged + (m * kProduct + half * 8 + lane / 4) * kPitch<N> + n * 16 + lane % 4 * 4) =
            rounded_pair<X>(sums[m][n][2 * half], sums[m][n][2 * half + 1]);
  __syncwarp();
#pragma unroll
  for (int i = 0; i < kPixels * kVectors / 32; ++i) {
    const int pixel = (i * 32 + lane) / kVectors, vector = (i * 32 + lane) % kVectors;
    if (X* channels = place(warp * kPixels + pixel))
      *reinterpret_cast<uint4*>(channels + vector * kVector) =
          *reinterpret_cast<const uint4*>(staged + pixel * kPitch<N> + vector * 16);
  }
  __syncwarp();
}

template <int K, bool image>
constexpr int kKernelColumns = image ? 1 : K;

template <int K, int C, bool image>
constexpr int kRowOfWeight = K* kKernelColumns<K, image>* C;

struct ForwardArgs {
  Features x;
  int out_height, out_width, out;
  Tile tile;
  Window window;
  int stages, stage_bytes;
};

// C channels of x (16: an image's rows, spread), N of y; blockIdx.y tells which.
template <class X, int K, int C, int N, bool image>
__global__ void __launch_bounds__(kBlockThreads)
    forward_kernel(const X* x, const X* weight, X* y, ForwardArgs args) {
  extern __shared__ __align__(16) unsigned char shared[];
  constexpr int kColumns = kKernelColumns<K, image>, kRow = kRowOfWeight<K, C, image>;
  constexpr int kStaged = N * kPitch<kRow>, kStages = kStaged + kTilePixels * kPitch<N>;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int first_out = blockIdx.y * N;
  const Tile& tile = args.tile;
  const Window& window = args.window;
  const SharedAddress weights = shared_address(shared), stages = weights + kStages;
  const auto load = [&](int number, int stage) {
    if constexpr (image)
      spread_window(shared + kStages + stage * args.stage_bytes, x, args.x, window,
                    Corner(tile, number));
    else
      copy_window<C>(stages + stage * args.stage_bytes, x, args.x, window, Corner(tile, number));
  };
  if constexpr (image) {
    for (int k = threadIdx.x; k < N * kRow; k += kBlockThreads) {
      constexpr int kTaken = K * kImageChannels;
      const int out = k / kRow, row = k % kRow / kProduct, place = k % kProduct;
      const X number = place < kTaken ? weight[((first_out + out) * K + row) * kTaken + place]
                                      : static_cast<X>(0.0f);
      *reinterpret_cast<X*>(shared + out * kPitch<kRow> + k % kRow * 2) = number;
    }
  } else {
    constexpr int kVectors = kRow / kVector;
    for (int k = threadIdx.x; k < N * kVectors; k += kBlockThreads)
      copy_async(weights + k / kVectors * kPitch<kRow> + k % kVectors * 16,
                 weight + std::int64_t{first_out} * kRow + k * kVector, true);
  }
  load(blockIdx.x, 0);
  end_copies();
  if constexpr (!image) clear_borders<C>(shared + kStages, args.stages, args.stage_bytes, window);
  const int row_bytes = window.columns * kPitch<C>, step = image ? 1 : window.stride;
  const SharedAddress row_of_weight =
      weights + (lane / 16 * 8 + lane % 8) * kPitch<kRow> + lane / 8 % 2 * 16;
  SharedAddress in_window[kRowsOfWarp];
#pragma unroll
  for (int m = 0; m < kRowsOfWarp; ++m) {
    const Pixel pixel(tile, (warp * kRowsOfWarp + m) * kProduct + lane % 16);
    in_window[m] = stages + (pixel.image * window.rows + pixel.row * window.stride) * row_bytes +
                   pixel.column * step * kPitch<C> + lane / 16 * 16;
  }
  constexpr int kProducts = kRow / kProduct;
  constexpr bool kKeeps = kKeepsWeight<kProducts, N>;
  WeightPart<N> kept[kKeeps ? kProducts : 1];
  for_each_tile(blockIdx.x, gridDim.x, tile.count, load, [&](int number, int stage) {
    if constexpr (kKeeps)
      if (number == static_cast<int>(blockIdx.x)) {
#pragma unroll
        for (int k = 0; k < kProducts; ++k)
          load_weight<false, N>(kept[k], row_of_weight + k * kProduct * 2, kProduct * kPitch<kRow>);
      }
    PixelSums<N> sums = {};
    SharedAddress pixels[kRowsOfWarp];
#pragma unroll
    for (int m = 0; m < kRowsOfWarp; ++m) pixels[m] = in_window[m] + stage * args.stage_bytes;
#pragma unroll
    for (int row = 0; row < K; ++row)
#pragma unroll
      for (int column = 0; column < kColumns; ++column)
#pragma unroll
        for (int c = 0; c < C; c += kProduct) {
          const int product = ((row * kColumns + column) * C + c) / kProduct;
          WeightPart<N>& part = kept[kKeeps ? product : 0];
          if constexpr (!kKeeps)
            load_weight<false, N>(part, row_of_weight + product * kProduct * 2,
                                  kProduct * kPitch<kRow>);
          add_product<X, N>(sums, pixels, row * row_bytes + column * kPitch<C> + c * 2, part);
        }
    const Corner corner(tile, number);
    store_pixels<X, N>(sums, shared + kStaged, [&](int in_tile) -> X* {
      const Pixel pixel(tile, in_tile);
      const int image_number = corner.image + pixel.image, row = corner.row + pixel.row;
      if (image_number >= args.x.batch || row >= args.out_height || pixel.column >= args.out_width)
        return nullptr;
      return y +
             ((std::int64_t{image_number} * args.out_height + row) * args.out_width +
              pixel.column) *
                 args.out +
             first_out;
    });
  });
}

// A sum of parts, see sum_parts.
template <class X>
struct Parts {
  const float* parts;
  X* sum;
  int count, size;  // parts, and numbers of each
  int vectors;      // of 4 numbers that a block sums, a power of two

  int blocks() const { return size / (4 * vectors); }
};

constexpr int kSumBytes = kBlockThreads * sizeof(float4);

// The sum of all parts; of an image 9 of 16 numbers are taken.
template <class X, bool image>
__device__ void sum_parts(const Parts<X>& parts, int block, float4* shares) {
  const int column = threadIdx.x & (parts.vectors - 1), share = threadIdx.x / parts.vectors;
  const int all_shares = kBlockThreads / parts.vectors;
  const int first = (block * parts.vectors + column) * 4;
  const auto add = [](float4& sum, const float4& other) {
    sum = make_float4(sum.x + other.x, sum.y + other.y, sum.z + other.z, sum.w + other.w);
  };
  float4 sum = make_float4(0, 0, 0, 0);
#pragma unroll 4
  for (int part = share; part < parts.count; part += all_shares)
    add(sum,
        *reinterpret_cast<const float4*>(parts.parts + std::int64_t{part} * parts.size + first));
  shares[threadIdx.x] = sum;
  __syncthreads();
  if (share > 0) return;
  for (int other = 1; other < all_shares; ++other) add(sum, shares[other * parts.vectors + column]);
  if constexpr (image) {
    constexpr int kTaken = 3 * kImageChannels;
    const float numbers[4] = {sum.x, sum.y, sum.z, sum.w};
#pragma unroll
    for (int k = 0; k < 4; ++k)
      if (first % kProduct + k < kTaken)
        parts.sum[first / kProduct * kTaken + first % kProduct + k] = static_cast<X>(numbers[k]);
  } else {
    *reinterpret_cast<uint2*>(parts.sum + first) =
        make_uint2(rounded_pair<X>(sum.x, sum.y), rounded_pair<X>(sum.z, sum.w));
  }
}

template <class X, bool image>
__global__ void __launch_bounds__(kBlockThreads) sum_parts_kernel(Parts<X> parts) {
  extern __shared__ __align__(16) unsigned char shared[];
  sum_parts<X, image>(parts, blockIdx.x, reinterpret_cast<float4*>(shared));
}

struct InputGradientArgs {
  Features grad_y;
  int height, width, in;
  Tile tile;
  Window window;
  int stages, stage_bytes;
  int blocks;  // for the gradient; those behind them sum parts
};

// The gradient of x: a pixel (S a + i, S b + j) of it sees the pixels of grad_y around (a, b), and
// which rows and columns of the kernel depends on i and j. C channels of y, N of x; blockIdx.y
// tells which. Blocks that are left sum the gradient of the weight meanwhile.
template <class X, int K, int S, int C, int N>
__global__ void __launch_bounds__(kBlockThreads)
    input_gradient_kernel(const X* grad_y, const X* weight, X* grad_x, InputGradientArgs args,
                          Parts<X> parts) {
  extern __shared__ __align__(16) unsigned char shared[];
  if (static_cast<int>(blockIdx.x) >= args.blocks) {
    const int block = (blockIdx.x - args.blocks) * gridDim.y + blockIdx.y;
    if (block * parts.vectors * 4 < parts.size)
      sum_parts<X, false>(parts, block, reinterpret_cast<float4*>(shared));
    return;
  }
  constexpr int kPadding = K / 2, kBefore = S == 1 ? kPadding : 0;
  constexpr int kVectors = N / kVector, kPlaces = K * K;
  constexpr int kStaged = kPlaces * C * kPitch<N>, kStages = kStaged + kTilePixels * kPitch<N>;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int first_in = blockIdx.y * N;
  const Tile& tile = args.tile;
  const Window& window = args.window;
  const SharedAddress weights = shared_address(shared), stages = weights + kStages;
  const auto load = [&](int number, int stage) {
    copy_window<C>(stages + stage * args.stage_bytes, grad_y, args.grad_y, window,
                   Corner(tile, number));
  };
  for (int k = threadIdx.x; k < C * kPlaces * kVectors; k += kBlockThreads) {
    const int vector = k % kVectors, out = k / kVectors % C, place = k / kVectors / C;
    copy_async(weights + (place * C + out) * kPitch<N> + vector * 16,
               weight + (out * kPlaces + place) * args.in + first_in + vector * kVector, true);
  }
  load(blockIdx.x, 0);
  end_copies();
  clear_borders<C>(shared + kStages, args.stages, args.stage_bytes, window);
  const int row_bytes = window.columns * kPitch<C>;
  const SharedAddress row_of_weight = weights + lane % 16 * kPitch<N> + lane / 16 * 16;
  SharedAddress in_window[kRowsOfWarp];
#pragma unroll
  for (int m = 0; m < kRowsOfWarp; ++m) {
    const Pixel pixel(tile, (warp * kRowsOfWarp + m) * kProduct + lane % 16);
    in_window[m] = stages + (pixel.image * window.rows + pixel.row + kBefore) * row_bytes +
                   (pixel.column + kBefore) * kPitch<C> + lane / 16 * 16;
  }
  constexpr int kProducts = kPlaces * C / kProduct;
  constexpr bool kKeeps = kKeepsWeight<kProducts, N>;
  WeightPart<N> kept[kKeeps ? kProducts : 1];
  for_each_tile(blockIdx.x, args.blocks, tile.count, load, [&](int number, int stage) {
    if constexpr (kKeeps)
      if (number == static_cast<int>(blockIdx.x)) {
#pragma unroll
        for (int k = 0; k < kProducts; ++k)
          load_weight<true, N>(kept[k], row_of_weight + k * kProduct * kPitch<N>, kProduct * 2);
      }
    const Corner corner(tile, number);
    SharedAddress pixels[kRowsOfWarp];
#pragma unroll
    for (int m = 0; m < kRowsOfWarp; ++m) pixels[m] = in_window[m] + stage * args.stage_bytes;
#pragma unroll
    for (int i = 0; i < S; ++i)
#pragma unroll
      for (int j = 0; j < S; ++j) {
        PixelSums<N> sums = {};
#pragma unroll
        for (int row = 0; row < K; ++row)
#pragma unroll
          for (int column = 0; column < K; ++column) {
            const int down = i + kPadding - row, right = j + kPadding - column;
            if (down % S != 0 || right % S != 0) continue;
#pragma unroll
            for (int c = 0; c < C; c += kProduct) {
              const int product = ((row * K + column) * C + c) / kProduct;
              WeightPart<N>& part = kept[kKeeps ? product : 0];
              if constexpr (!kKeeps)
                load_weight<true, N>(part, row_of_weight + product * kProduct * kPitch<N>,
                                     kProduct * 2);
              add_product<X, N>(sums, pixels, down / S * row_bytes + right / S * kPitch<C> + c * 2,
                                part);
            }
          }
        store_pixels<X, N>(sums, shared + kStaged, [&](int in_tile) -> X* {
          const Pixel pixel(tile, in_tile);
          const int image = corner.image + pixel.image;
          const int row = (corner.row + pixel.row) * S + i, column = pixel.column * S + j;
          if (image >= args.grad_y.batch || row >= args.height || column >= args.width)
            return nullptr;
          return grad_x +
                 ((std::int64_t{image} * args.height + row) * args.width + column) * args.in +
                 first_in;
        });
      }
  });
}

struct WeightGradientArgs {
  Features x, grad_y;
  Tile tile;
  Window x_window, grad_window;
  int x_bytes, stages, stage_bytes;
};

// All places of the kernel.
template <int K, bool image>
constexpr int kPlacesOf = K* kKernelColumns<K, image>;

// Numbers between channels of y, chosen so that those of a warp use different banks.
template <int K, bool image>
constexpr int kSumsPitch = kPlacesOf<K, image>* kProduct + 8;

// The gradient of the weight: a block adds up tiles, for 16 channels of x and 16 M of y and all
// places of the kernel. A warp has 16 channels of y and a share of the pixels.
template <class X, int K, int M, bool image>
__global__ void __launch_bounds__(kBlockThreads)
    weight_gradient_kernel(const X* grad_y, const X* x, float* parts, WeightGradientArgs args) {
  extern __shared__ __align__(16) unsigned char shared[];
  constexpr int kColumns = kKernelColumns<K, image>, kPlaces = kPlacesOf<K, image>;
  constexpr int kSums = kSumsPitch<K, image>, kOut = M * kProduct, kShares = kWarps / M;
  const Tile& tile = args.tile;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int share = warp / M, out_of_warp = warp % M * kProduct;
  const int first_in = blockIdx.y * kProduct, first_out = blockIdx.z * kOut;
  const int step = image ? 1 : args.x_window.stride;
  const int row_bytes = args.x_window.columns * kPitch<kProduct>;
  const SharedAddress stages = shared_address(shared);
  const auto load = [&](int number, int stage) {
    const Corner corner(tile, number);
    if constexpr (image)
      spread_window(shared + stage * args.stage_bytes, x, args.x, args.x_window, corner);
    else
      copy_window<kProduct>(stages + stage * args.stage_bytes, x + first_in, args.x, args.x_window,
                            corner);
    copy_window<kOut>(stages + stage * args.stage_bytes + args.x_bytes, grad_y + first_out,
                      args.grad_y, args.grad_window, corner);
  };
  load(blockIdx.x, 0);
  end_copies();
  if constexpr (!image)
    clear_borders<kProduct>(shared, args.stages, args.stage_bytes, args.x_window);
  clear_borders<kOut>(shared + args.x_bytes, args.stages, args.stage_bytes, args.grad_window);
  float sums[kPlaces][2][4] = {};
  for_each_tile(blockIdx.x, gridDim.x, tile.count, load, [&](int, int stage) {
    const SharedAddress inputs = stages + stage * args.stage_bytes + lane / 16 * 16;
    const SharedAddress gradients = stages + stage * args.stage_bytes + args.x_bytes +
                                    (lane / 16 * 8 + lane % 8) * kPitch<kOut> + lane / 8 % 2 * 16 +
                                    out_of_warp * 2;
    for (int first = share * kProduct; first < args.grad_window.pixels;
         first += kShares * kProduct) {
      const Pixel pixel(tile, first + lane % 16);
      const SharedAddress pixels =
          inputs +
          (pixel.image * args.x_window.rows + pixel.row * args.x_window.stride) * row_bytes +
          pixel.column * step * kPitch<kProduct>;
      std::uint32_t a[4], b[4];
      load_matrices<true>(a, gradients + first * kPitch<kOut>);
#pragma unroll
      for (int row = 0; row < K; ++row)
#pragma unroll
        for (int column = 0; column < kColumns; ++column) {
          load_matrices<true>(b, pixels + row * row_bytes + column * kPitch<kProduct>);
          multiply_add<X>(sums[row * kColumns + column][0], a, b[0], b[1]);
          multiply_add<X>(sums[row * kColumns + column][1], a, b[2], b[3]);
        }
    }
  });
  float* shares = reinterpret_cast<float*>(shared);
#pragma unroll
  for (int place = 0; place < kPlaces; ++place)
#pragma unroll
    for (int n = 0; n < 2; ++n)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int out = out_of_warp + half * 8 + lane / 4;
        *reinterpret_cast<float2*>(shares + (share * kOut + out) * kSums + place * kProduct +
                                   n * 8 + lane % 4 * 2) =
            make_float2(sums[place][n][2 * half], sums[place][n][2 * half + 1]);
      }
  __syncthreads();
  constexpr int kVectors = kPlaces * kProduct / 4;
  const int in = image ? kProduct : args.x.channels;
  float* part = parts + std::int64_t{blockIdx.x} * args.grad_y.channels * kPlaces * in;
  for (int k = threadIdx.x; k < kOut * kVectors; k += kBlockThreads) {
    const int out = k / kVectors, vector = k % kVectors;
    float4 total = make_float4(0, 0, 0, 0);
#pragma unroll
    for (int other = 0; other < kShares; ++other) {
      const float4 sum =
          *reinterpret_cast<const float4*>(shares + (other * kOut + out) * kSums + vector * 4);
      total = make_float4(total.x + sum.x, total.y + sum.y, total.z + sum.z, total.w + sum.w);
    }
    *reinterpret_cast<float4*>(part + ((first_out + out) * kPlaces + vector / 4) * in + first_in +
                               vector % 4 * 4) = total;
  }
}

int number(std::int64_t n) {
  return static_cast<int>(n);
}

int ceil_divide(int n, int by) {
  return (n + by - 1) / by;
}

Features features_of_x(const ConvolutionShape& s) {
  return {number(s.batch), number(s.height), number(s.width), number(s.in)};
}
Features features_of_y(const ConvolutionShape& s) {
  return {number(s.batch), number(s.out_height()), number(s.out_width()), number(s.out)};
}

Tile tile_of(const ConvolutionShape& shape, int pixels) {
  const Features y = features_of_y(shape);
  const auto up = [](int n) { return static_cast<int>(std::bit_ceil(static_cast<unsigned>(n))); };
  const auto shift = [](int n) { return std::countr_zero(static_cast<unsigned>(n)); };
  Tile tile{};
  tile.columns = std::max(up(y.width), 8);
  tile.rows = std::min(pixels / tile.columns, up(y.height));
  tile.images = pixels / tile.columns / tile.rows;
  tile.row_shift = shift(tile.columns);
  tile.image_shift = tile.row_shift + shift(tile.rows);
  tile.in_image = ceil_divide(y.height, tile.rows);
  tile.by_in_image = Divisor::of(tile.in_image);
  tile.count = ceil_divide(y.batch, tile.images) * tile.in_image;
  return tile;
}

Window window_of(const Tile& tile, int width, int rows, int columns, int stride, int before) {
  const int lines = tile.images * rows;
  return {rows,
          columns,
          std::min(width, columns - before),
          stride,
          before,
          lines,
          lines * columns,
          Divisor::of(rows),
          Divisor::of(columns)};
}

// Of x.
Window input_window(const Tile& tile, const ConvolutionShape& shape, bool image) {
  const int kernel = number(shape.kernel), stride = number(shape.stride);
  const int columns = image ? tile.columns : (tile.columns - 1) * stride + kernel;
  return window_of(tile, number(shape.width), (tile.rows - 1) * stride + kernel, columns, stride,
                   kernel / 2);
}

// Of grad_y, for the gradient of x.
Window gradient_window(const Tile& tile, const ConvolutionShape& shape) {
  const int after = number(shape.kernel) / 2, before = shape.stride == 1 ? after : 0;
  return window_of(tile, number(shape.out_width()), tile.rows + before + after,
                   tile.columns + before + after, 1, before);
}

// Shared memory that an A100 gives to a block, in bytes.
constexpr int kMostShared = 163 << 10;

// Blocks for so many tiles, of which each takes as many as another, if possible.
int blocks_for(int tiles, int most) {
  return ceil_divide(tiles, ceil_divide(tiles, most));
}

// Blocks that have a weight and go through tiles, the next of which is copied meanwhile.
struct Walk {
  int blocks, stages, bytes;

  Walk(int tiles, int shares, int stage_bytes, int other_bytes) {
    constexpr int kBlocks = 264;  // that a GPU runs at once: two for each multiprocessor of an H100
    blocks = blocks_for(tiles, kBlocks / shares);
    if (other_bytes + 2 * stage_bytes > kMostShared) blocks = tiles;
    stages = blocks < tiles ? 2 : 1;
    bytes = other_bytes + stages * stage_bytes;
  }
};

// Bytes for a weight, and for results on their way out.
int forward_bytes(int row_of_weight, int channels) {
  return channels * pitch(row_of_weight) + kTilePixels * pitch(channels);
}
int input_gradient_bytes(int rows_of_weight, int channels) {
  return (rows_of_weight + kTilePixels) * pitch(channels);
}

template <class... Parameters, class... Args>
void launch(void (*kernel)(Parameters...), dim3 blocks, int shared_bytes, Stream stream,
            const Args&... args) {
  constexpr int kWithoutAsking = 48 << 10;
  if (shared_bytes > kWithoutAsking)
    cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes);
  cudaLaunchConfig_t config{};
  config.gridDim = blocks;
  config.blockDim = dim3(kBlockThreads);
  config.dynamicSmemBytes = shared_bytes;
  config.stream = static_cast<cudaStream_t>(stream);
  cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(args)...);
}

template <int number>
using Number = std::integral_constant<int, number>;

// visit(Type<X>)
template <class Visit>
void visit_half(ScalarType type, const Visit& visit) {
  if (type == ScalarType::float16) return visit(Type<__half>{});
  visit(Type<__nv_bfloat16>{});
}

// visit(Number<channels>)
template <class Visit>
void visit_channels(int channels, const Visit& visit) {
  if (channels == 16) return visit(Number<16>{});
  if (channels == 32) return visit(Number<32>{});
  visit(Number<64>{});
}

// visit(Number<N>): channels that a block writes; 16 where there were too few blocks else.
template <class Visit>
void visit_share(int channels, int tiles, const Visit& visit) {
  constexpr int kEnoughBlocks = 96;
  if (channels % 32 == 0 && tiles * (channels / 32) >= kEnoughBlocks) return visit(Number<32>{});
  visit(Number<16>{});
}

template <class X, int K, int C, bool image>
void forward(const ConvolutionForward& args, Stream stream) {
  const int out = number(args.shape.out);
  const Features y = features_of_y(args.shape);
  const Tile tile = tile_of(args.shape, kTilePixels);
  const Window window = input_window(tile, args.shape, image);
  visit_share(out, tile.count, [&]<int N>(Number<N>) {
    const int stage_bytes = window.pixels * kPitch<C>;
    const Walk walk(tile.count, out / N, stage_bytes, forward_bytes(kRowOfWeight<K, C, image>, N));
    launch(forward_kernel<X, K, C, N, image>, dim3(walk.blocks, out / N), walk.bytes, stream,
           static_cast<const X*>(args.x.data), static_cast<const X*>(args.weight.data),
           static_cast<X*>(args.y.data),
           ForwardArgs{features_of_x(args.shape), y.height, y.width, out, tile, window, walk.stages,
                       stage_bytes});
  });
}

// Where the gradient of the weight is added up.
struct PartsPlan {
  Tile tile;
  Window x_window, grad_window;
  int out_share;    // channels of y that a block has
  int count, size;  // parts, and numbers of each
  int x_bytes, stages, stage_bytes;

  PartsPlan(const ConvolutionShape& shape, int pixels) {
    // A fixed number, so that sums do not depend on the device.
    constexpr int kPartBlocks = 128;
    const bool image = shape.in == kImageChannels;
    const int in = image ? kProduct : number(shape.in), out = number(shape.out),
              kernel = number(shape.kernel);
    tile = tile_of(shape, pixels);
    x_window = input_window(tile, shape, image);
    grad_window = window_of(tile, number(shape.out_width()), tile.rows, tile.columns, 1, 0);
    out_share = out % 32 == 0 ? 32 : 16;
    size = out * kernel * (image ? 1 : kernel) * in;
    count = blocks_for(tile.count, kPartBlocks / (in / kProduct * (out / out_share)));
    x_bytes = x_window.pixels * kPitch<kProduct>;
    stages = count < tile.count ? 2 : 1;
    stage_bytes = x_bytes + grad_window.pixels * pitch(out_share);
  }
};

PartsPlan parts_plan(const ConvolutionShape& shape) {
  int pixels = 2 * kTilePixels / number(shape.stride);
  const auto fits = [](const PartsPlan& plan) {
    return plan.stages * plan.stage_bytes <= kMostShared;
  };
  PartsPlan plan(shape, pixels);
  while (!fits(plan)) plan = PartsPlan(shape, pixels /= 2);
  return plan;
}

template <class X, int K, bool image>
void add_parts(const ConvolutionBackward& args, const PartsPlan& plan, Stream stream) {
  const int in = number(args.shape.in), out = number(args.shape.out);
  const auto run = [&]<int M>(Number<M>) {
    constexpr int kSums = kWarps * kProduct * kSumsPitch<K, image> * 4;
    launch(weight_gradient_kernel<X, K, M, image>,
           dim3(plan.count, image ? 1 : in / kProduct, out / (M * kProduct)),
           std::max(plan.stages * plan.stage_bytes, kSums), stream,
           static_cast<const X*>(args.grad_y.data), static_cast<const X*>(args.x.data),
           static_cast<float*>(args.workspace),
           WeightGradientArgs{features_of_x(args.shape), features_of_y(args.shape), plan.tile,
                              plan.x_window, plan.grad_window, plan.x_bytes, plan.stages,
                              plan.stage_bytes});
  };
  if (plan.out_share == 32)
    run(Number<2>{});
  else
    run(Number<1>{});
}

template <class X, int K, int S>
void input_gradient(const ConvolutionBackward& args, const Parts<X>& parts, Stream stream) {
  const int in = number(args.shape.in);
  const Tile tile = tile_of(args.shape, kTilePixels);
  const Window window = gradient_window(tile, args.shape);
  visit_channels(number(args.shape.out), [&]<int C>(Number<C>) {
    visit_share(in, tile.count, [&]<int N>(Number<N>) {
      const int stage_bytes = window.pixels * kPitch<C>;
      const Walk walk(tile.count, in / N, stage_bytes, input_gradient_bytes(K * K * C, N));
      const int sum_blocks = args.grad_weight.data ? ceil_divide(parts.blocks(), in / N) : 0;
      launch(input_gradient_kernel<X, K, S, C, N>, dim3(walk.blocks + sum_blocks, in / N),
             walk.bytes, stream, static_cast<const X*>(args.grad_y.data),
             static_cast<const X*>(args.weight.data), static_cast<X*>(args.grad_x.data),
             InputGradientArgs{features_of_y(args.shape), number(args.shape.height),
                               number(args.shape.width), in, tile, window, walk.stages, stage_bytes,
                               walk.blocks},
             parts);
    });
  });
}

template <class X>
void backward(const ConvolutionBackward& args, Stream stream) {
  const bool image = args.shape.in == kImageChannels, point = args.shape.kernel == 1,
             strided = args.shape.stride == 2;
  Parts<X> parts{};
  if (args.grad_weight.data) {
    const PartsPlan plan = parts_plan(args.shape);
    parts = {static_cast<const float*>(args.workspace), static_cast<X*>(args.grad_weight.data),
             plan.count, plan.size,
             std::clamp(number(std::bit_floor(1024u / static_cast<unsigned>(plan.count))), 8, 64)};
    if (image)
      add_parts<X, 3, true>(args, plan, stream);
    else if (point)
      add_parts<X, 1, false>(args, plan, stream);
    else
      add_parts<X, 3, false>(args, plan, stream);
    if (!args.grad_x.data)
      launch(image ? sum_parts_kernel<X, true> : sum_parts_kernel<X, false>, dim3(parts.blocks()),
             kSumBytes, stream, parts);
  }
  if (!args.grad_x.data) return;
  if (point && strided)
    input_gradient<X, 1, 2>(args, parts, stream);
  else if (point)
    input_gradient<X, 1, 1>(args, parts, stream);
  else if (strided)
    input_gradient<X, 3, 2>(args, parts, stream);
  else
    input_gradient<X, 3, 1>(args, parts, stream);
}

}  // namespace

bool has_convolution(const ConvolutionShape& shape) {
  const auto is_few = [](std::int64_t channels) {
    return channels == 16 || channels == 32 || channels == 64;
  };
  const bool image = shape.in == kImageChannels && shape.kernel == 3;
  if (!(is_few(shape.in) || image) || !is_few(shape.out)) return false;
  if ((shape.kernel != 1 && shape.kernel != 3) || (shape.stride != 1 && shape.stride != 2))
    return false;
  constexpr std::int64_t kMostColumns = 64, kMostNumbers = std::int64_t{1} << 31;
  if (shape.batch < 1 || shape.height < 1 || shape.width < 1 || shape.out_width() > kMostColumns ||
      shape.batch * shape.height * shape.width >= kMostNumbers / std::max(shape.in, shape.out))
    return false;
  // cuDNN is as fast from here on, measured on an H200.
  constexpr std::int64_t kManyProducts = std::int64_t{1} << 26;
  const bool wide = !image && std::max(shape.in, shape.out) == 64;
  if (wide &&
      shape.batch * shape.out_height() * shape.out_width() * shape.in * shape.out >= kManyProducts)
    return false;
  const Tile tile = tile_of(shape, kTilePixels);
  const int in = image ? kProduct : number(shape.in), out = number(shape.out);
  const int places = number(shape.kernel * shape.kernel);
  constexpr int kMostShare = 32;
  if (forward_bytes(places * in, kMostShare) + input_window(tile, shape, image).pixels * pitch(in) >
          kMostShared ||
      input_gradient_bytes(places * out, kMostShare) +
              gradient_window(tile, shape).pixels * pitch(out) >
          kMostShared)
    return false;
  int device = 0, shared = 0;
  return cudaGetDevice(&device) == cudaSuccess &&
         cudaDeviceGetAttribute(&shared, cudaDevAttrMaxSharedMemoryPerBlockOptin, device) ==
             cudaSuccess &&
         shared >= kMostShared;
}

std::int64_t convolution_workspace_bytes(const ConvolutionShape& shape) {
  const PartsPlan plan = parts_plan(shape);
  return std::int64_t{4} * plan.count * plan.size;
}

void convolution_forward(const ConvolutionForward& args, Stream stream) {
  visit_half(args.x.type, [&]<class X>(Type<X>) {
    if (args.shape.in == kImageChannels) return forward<X, 3, kProduct, true>(args, stream);
    visit_channels(number(args.shape.in), [&]<int C>(Number<C>) {
      if (args.shape.kernel == 1)
        forward<X, 1, C, false>(args, stream);
      else
        forward<X, 3, C, false>(args, stream);
    });
  });
  check_launch("convolution_forward");
}

void convolution_backward(const ConvolutionBackward& args, Stream stream) {
  visit_half(args.x.type, [&]<class X>(Type<X>) { backward<X>(args, stream); });
  check_launch("convolution_backward");
}

}  // namespace lowbit::kernels::cuda
