#include "lowbit/runtime/tiling.h"

#include <algorithm>
#include <limits>

namespace lowbit::runtime {
namespace {

// Of numbers of rows, pixels, channels or tiles (check.h bounds them).
int ceil_divided(int a, int b) {
  return a / b + (a % b != 0);
}

// About how long things take, in cycles. Only their proportions matter, and these little.
constexpr double kTile = 500, kNumber = 1.5, kCode = 0.3, kProduct = 1 / 64.0;
// Kernels take so many pixels at a time, whether all are there or not.
constexpr int kKernelPixels = 6;

double time_of_tile(const Network& network, const Group& group, int rows, int channels) {
  const int first = group.steps.front();
  const Shape& out = network.types()[static_cast<size_t>(first) + 1].shape;
  // The rows that the chain computes.
  if (group.has_strip()) rows = group.spatial->most_receptive_rows(rows);
  const double pixels = static_cast<double>(rows) * out.width;
  const double numbers = kTile + kNumber * pixels * channels;
  const packed::CodeConv* conv = network.step(first).operation_as_CodeConv();
  if (!conv) return numbers;
  const Shape& in = network.types()[static_cast<size_t>(conv->input())].shape;
  const packed::Window& window = *conv->window();
  const double packed = (rows - 1.0) * window.stride() + window.kernel();
  const double kernel_tiles = ceil_divided(rows * out.width, kKernelPixels);
  const double products = static_cast<double>(network.weight_count(first)) / out.channels;
  return numbers + kCode * packed * static_cast<double>(in.row()) +
         kProduct * kernel_tiles * kKernelPixels * channels * products;
}

// Numbers of tiles that are tried: each of the small ones, then always a quarter more, as there may
// be thousands of threads and of steps.
int next_number(int number) {
  return number < 16 ? number + 1 : number + number / 4;
}

}  // namespace

Tiling::Tiling(const Network& network, const Group& group, int threads)
    : shape_(network.types()[static_cast<size_t>(group.steps.back()) + 1].shape) {
  const bool by_block = group.chain && !group.has_strip();
  const int block = by_block ? group.chain->channel_block() : shape_.channels;
  const int blocks = ceil_divided(shape_.channels, block);
  // More tiles than this are only slower.
  const int most = threads == 1 ? 1 : 8 * threads;
  Tiling best = *this;
  double least = std::numeric_limits<double>::infinity();
  for (int by_channel = 1; by_channel <= std::min(blocks, most);
       by_channel = next_number(by_channel))
    for (int by_row = 1; by_row <= std::min(shape_.height, most / by_channel);
         by_row = next_number(by_row)) {
      channels_ = block * ceil_divided(blocks, by_channel);
      rows_ = ceil_divided(shape_.height, by_row);
      channel_tiles_ = ceil_divided(shape_.channels, channels_);
      row_tiles_ = ceil_divided(shape_.height, rows_);
      const double needed = time(network, group, threads);
      if (needed >= least) continue;
      least = needed;
      best = *this;
    }
  *this = best;
}

// As if all tiles but the last were whole ones, which is so where rows alone are divided: the last
// one is begun when a thread has nothing else to do.
double Tiling::time(const Network& network, const Group& group, int threads) const {
  const auto time_of = [&](int tile) {
    const Rows some = rows(tile);
    return time_of_tile(network, group, some.last - some.first,
                        static_cast<int>(channels(tile).count()));
  };
  const double whole = time_of(0);
  const int others = count() - 1;
  return others / threads * whole + (others % threads == 0 ? time_of(others) : whole);
}

Rows Tiling::rows(int tile) const {
  const int first = tile / channel_tiles_ * rows_;
  return {first, std::min(first + rows_, shape_.height)};
}

Channels Tiling::channels(int tile) const {
  const int first = tile % channel_tiles_ * channels_;
  return {first, std::min(first + channels_, shape_.channels)};
}

}  // namespace lowbit::runtime
