#include "lowbit/kernels/cuda/batch_norm.h"
#include "lowbit/kernels/cuda/channel_rows.cuh"
#include "lowbit/kernels/math/batch_norm.h"

namespace lowbit::kernels::cuda {
namespace {

static_assert(sizeof(RowWorkspace) <= kNormWorkspaceBytes);
static_assert(kMostNormChannels / 4 / kTileVectors <= kMostTiles);

// Blocks that a multiprocessor holds at once, by the registers that their threads need, and rows of
// which a thread has the loads in flight together.
constexpr int kStatisticsBlocks = 4, kStatisticsRows = 4;
constexpr int kValueBlocks = 4, kValueRows = 2;
constexpr int kGradientBlocks = 3, kGradientRows = 2;

__device__ float number(const void* array, int i) {
  return static_cast<const float*>(array)[i];
}

__device__ void write(void* array, int i, double value) {
  static_cast<float*>(array)[i] = static_cast<float>(value);
}

// body(channel, sum of a, sum of b) for the channels of the tile, each in one thread.
template <int W, class Body>
__device__ void for_each_channel(const ChannelRows& all, const double (&sums)[kMostColumns],
                                 const Body& body) {
  const int vector = threadIdx.x / W, k = threadIdx.x % W;
  const int channel = (blockIdx.y * all.tile + vector) * W + k;
  if (vector < all.tile && channel < all.vectors * W)
    body(channel, sums[vector * 2 * W + k], sums[vector * 2 * W + W + k]);
}

template <class X>
__global__ void __launch_bounds__(kRowThreads, kStatisticsBlocks)
    statistics_kernel(BatchNormForward args, ChannelRows all) {
  constexpr int W = kChannelWidth<X>;
  __shared__ double sums[kMostColumns];
  const X* x = static_cast<const X*>(args.x.data);
  float sum[W] = {}, squares[W] = {}, shift[W] = {};
  if (all.works()) {
    const auto first = load_packed(x + all.vector() * W);
    for (int k = 0; k < W; ++k) shift[k] = first[k];
  }
  for_each_row<W, kStatisticsRows, false>(
      all, [&](std::int64_t i) { return load_packed(x + i); },
      [&](std::int64_t, const Packed<X>& values) {
        for (int k = 0; k < W; ++k) {
          const float d = values[k] - shift[k];
          sum[k] += d;
          squares[k] = ::fmaf(d, d, squares[k]);
        }
      });
  if (!sum_rows<W>(all, sum, squares, static_cast<RowWorkspace*>(args.workspace), sums)) return;
  for_each_channel<W>(all, sums, [&](int channel, double total, double total_squares) {
    const BatchNormMoments moments(total, total_squares,
                                   static_cast<double>(static_cast<float>(x[channel])), all.rows);
    write(args.mean, channel, moments.mean);
    write(args.invstd, channel, moments.invstd(args.eps));
    write(args.running_mean, channel,
          moved(number(args.running_mean, channel), moments.mean, args.momentum));
    write(args.running_var, channel,
          moved(number(args.running_var, channel), moments.estimated_var(all.rows), args.momentum));
  });
}

// The norms of this thread's channels.
template <int W, class Args>
__device__ void read_channels(const Args& args, const ChannelRows& all,
                              BatchNormChannel<float> (&channels)[W]) {
  if (!all.works()) return;
  for (int k = 0; k < W; ++k) {
    const int c = all.vector() * W + k;
    channels[k] = {number(args.mean, c), number(args.weight, c) * number(args.invstd, c),
                   number(args.bias, c)};
  }
}

template <class X, class Quantizer, bool skips>
__global__ void __launch_bounds__(kRowThreads, kValueBlocks)
    value_kernel(BatchNormForward args, ChannelRows all) {
  constexpr int W = kChannelWidth<X>;
  struct Loaded {
    Packed<X> x, skip;
  };
  const X* x = static_cast<const X*>(args.x.data);
  const X* skip = static_cast<const X*>(args.skip);
  X* y = static_cast<X*>(args.y.data);
  const Quantizer quantizer(args.quantizer);
  BatchNormChannel<float> channels[W];
  read_channels(args, all, channels);
  for_each_row<W, kValueRows, true>(
      all,
      [&](std::int64_t i) {
        Loaded loaded;
        loaded.x = load_packed(x + i);
        if constexpr (skips) loaded.skip = load_packed(skip + i);
        return loaded;
      },
      [&](std::int64_t i, const Loaded& loaded) {
        store_packed(y + i, packed<X>([&](int k) {
                       float v = rounded<X>(channels[k].value(loaded.x[k]));
                       if constexpr (skips) v = rounded<X>(v + loaded.skip[k]);
                       return quantizer.value(activated(args.activation, v));
                     }));
      });
}

// The gradient that reaches the norm (or the sum behind it).
// v: the activation's argument, or with a skip its value.
template <class X, class Quantizer>
__device__ FormulaGradient<float> upstream(const Quantizer& quantizer, NormActivation activation,
                                           float v, float grad_y) {
  const FormulaGradient<float> gradient = quantizer.gradient(activated(activation, v), grad_y);
  return {passes_gradient(activation, v) ? rounded<X>(gradient.x) : 0.0f, gradient.clip};
}

// With a skip the gradient that reaches the sum is the skip's, too; behind a quantizer it would
// take longer to find again than to read again. So it is left in memory for the second pass then.
template <class Quantizer, bool skips>
inline constexpr bool kLeavesUpstream = skips || Quantizer::kQuantizes;

template <class X, class Quantizer, bool skips>
__global__ void __launch_bounds__(kRowThreads, kGradientBlocks)
    sums_kernel(BatchNormBackward args, ChannelRows all) {
  constexpr int W = kChannelWidth<X>;
  struct Loaded {
    Packed<X> x, grad_y, y;
  };
  __shared__ double sums[kMostColumns];
  const X* x = static_cast<const X*>(args.x.data);
  const X* y = static_cast<const X*>(args.y);
  const X* grad_y = static_cast<const X*>(args.grad_y.data);
  X* left = static_cast<X*>(skips ? args.grad_skip : args.grad_x.data);
  const Quantizer quantizer(args.quantizer);
  BatchNormChannel<float> channels[W];
  read_channels(args, all, channels);
  float sum[W] = {}, dot[W] = {};
  double clip = 0;
  for_each_row<W, kGradientRows, false>(
      all,
      [&](std::int64_t i) {
        Loaded loaded;
        loaded.x = load_packed(x + i);
        loaded.grad_y = load_packed(grad_y + i);
        if constexpr (skips) loaded.y = load_packed(y + i);
        return loaded;
      },
      [&](std::int64_t i, const Loaded& loaded) {
        float clip_of_row = 0;
        const Packed<X> gradients = packed<X>([&](int k) {
          const float value = loaded.x[k];
          const float v = skips ? loaded.y[k] : rounded<X>(channels[k].value(value));
          const FormulaGradient<float> g =
              upstream<X>(quantizer, args.activation, v, loaded.grad_y[k]);
          sum[k] += g.x;
          dot[k] = ::fmaf(g.x, value - channels[k].mean, dot[k]);
          clip_of_row += g.clip;
          return g.x;
        });
        if constexpr (kLeavesUpstream<Quantizer, skips>) store_packed(left + i, gradients);
        if constexpr (Quantizer::kLearns) clip += static_cast<double>(clip_of_row);
      });
  auto* workspace = static_cast<RowWorkspace*>(args.workspace);
  if constexpr (Quantizer::kLearns) {
    double total;
    if (sum_launch(clip, workspace, total))
      write(args.grad_clip, 0, quantizer.clip_gradient(total));
  }
  if (!sum_rows<W>(all, sum, dot, workspace, sums)) return;
  for_each_channel<W>(all, sums, [&](int channel, double total, double total_dot) {
    write(args.grad_bias, channel, total);
    write(args.grad_weight, channel, total_dot * static_cast<double>(number(args.invstd, channel)));
  });
}

// leaves: whether the first pass has left the gradient that reaches the norm, in `left`.
template <class X, bool leaves>
__global__ void __launch_bounds__(kRowThreads, kGradientBlocks)
    gradient_kernel(BatchNormBackward args, const X* left, ChannelRows all) {
  constexpr int W = kChannelWidth<X>;
  struct Loaded {
    Packed<X> x, grad;
  };
  const X* x = static_cast<const X*>(args.x.data);
  const X* grad = leaves ? left : static_cast<const X*>(args.grad_y.data);
  X* grad_x = static_cast<X*>(args.grad_x.data);
  BatchNormChannel<float> channels[W];
  BatchNormGradient<float> gradients[W];
  read_channels(args, all, channels);
  if (all.works())
    for (int k = 0; k < W; ++k) {
      const int c = all.vector() * W + k;
      gradients[k] = BatchNormGradient<float>::of(
          number(args.mean, c), number(args.invstd, c), number(args.weight, c),
          number(args.grad_weight, c), number(args.grad_bias, c), static_cast<float>(all.rows));
    }
  for_each_row<W, kGradientRows, true>(
      all,
      [&](std::int64_t i) {
        Loaded loaded;
        loaded.x = load_packed(x + i);
        loaded.grad = load_packed(grad + i);
        return loaded;
      },
      [&](std::int64_t i, const Loaded& loaded) {
        store_packed(
            grad_x + i, packed<X>([&](int k) {
              const float value = loaded.x[k];
              float g = loaded.grad[k];
              if constexpr (!leaves)
                if (!passes_gradient(args.activation, rounded<X>(channels[k].value(value)))) g = 0;
              return gradients[k].gradient(value, g);
            }));
      });
}

// visit(Type<X>, Type<Quantizer>, std::bool_constant<skips>): a skip comes without a quantizer.
template <class Visit>
void visit_norm(ScalarType type, FeatureQuantizerKind kind, bool skips, const Visit& visit) {
  visit_features(type, [&]<class X>(Type<X>) {
    if (skips) return visit(Type<X>{}, Type<NoFeatureQuantizer<float>>{}, Flag<true>{});
    visit_feature_quantizer<float>(
        kind, [&]<class Q>(Type<Q>) { visit(Type<X>{}, Type<Q>{}, Flag<false>{}); });
  });
}

}  // namespace

void batch_norm_forward(const BatchNormForward& args, Stream stream) {
  const auto cuda_stream = static_cast<cudaStream_t>(stream);
  const std::int64_t width = channels_per_vector(args.x.type);
  const RowLaunch one = launch_over_rows(args.shape.rows, args.shape.channels, width,
                                         row_blocks(kStatisticsBlocks), kStatisticsRows);
  const RowLaunch more = launch_over_rows(args.shape.rows, args.shape.channels, width,
                                          row_blocks(kValueBlocks), kValueRows);
  visit_norm(args.x.type, args.quantizer.kind, args.skip != nullptr,
             [&]<class X, class Q, bool skips>(Type<X>, Type<Q>, Flag<skips>) {
               statistics_kernel<X><<<one.blocks, kRowThreads, 0, cuda_stream>>>(args, one.rows);
               value_kernel<X, Q, skips>
                   <<<more.blocks, kRowThreads, 0, cuda_stream>>>(args, more.rows);
             });
  check_launch("batch_norm_forward");
}

void batch_norm_backward(const BatchNormBackward& args, Stream stream) {
  const auto cuda_stream = static_cast<cudaStream_t>(stream);
  const RowLaunch launch =
      launch_over_rows(args.shape.rows, args.shape.channels, channels_per_vector(args.x.type),
                       row_blocks(kGradientBlocks), kGradientRows);
  visit_norm(args.x.type, args.quantizer.kind, args.y != nullptr,
             [&]<class X, class Q, bool skips>(Type<X>, Type<Q>, Flag<skips>) {
               sums_kernel<X, Q, skips>
                   <<<launch.blocks, kRowThreads, 0, cuda_stream>>>(args, launch.rows);
               const auto* left = static_cast<const X*>(skips ? args.grad_skip : args.grad_x.data);
               gradient_kernel<X, kLeavesUpstream<Q, skips>>
                   <<<launch.blocks, kRowThreads, 0, cuda_stream>>>(args, left, launch.rows);
             });
  check_launch("batch_norm_backward");
}

}  // namespace lowbit::kernels::cuda
