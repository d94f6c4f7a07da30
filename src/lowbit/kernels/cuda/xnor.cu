#include "lowbit/kernels/cuda/passes.cuh"
#include "lowbit/kernels/cuda/xnor.h"
#include "lowbit/kernels/math/xnor.h"

namespace lowbit::kernels::cuda {
namespace {

template <class T>
__device__ T gamma_of(const void* gamma, std::int64_t row) {
  return gamma ? static_cast<const T*>(gamma)[row] : T(1);
}

template <int W, class X>
__device__ double sum_of_magnitudes(const X* data) {
  const auto x = load<W>(data);
  double sum = 0;
  for (int k = 0; k < W; ++k)
    sum += static_cast<double>(absolute(static_cast<Compute<X>>(x.at[k])));
  return sum;
}

template <int W, class X, class Y, class T>
__device__ void store_values(const XnorForward& args, std::int64_t i, T mean, T gamma) {
  const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
  Vector<Y, W> y;
  for (int k = 0; k < W; ++k)
    y.at[k] = static_cast<Y>(xnor_value(static_cast<T>(x.at[k]), mean, gamma));
  store(static_cast<Y*>(args.y.data) + i, y);
}

template <class X, class Y>
struct Signs {
  XnorForward args;

  template <int W>
  __device__ void apply(std::int64_t i, std::int64_t) const {
    store_values<W, X, Y>(args, i, Compute<X>(1), Compute<X>(1));
  }
};

// Long rows, each by one block or several. See passes.cuh.
template <class X, class Y>
struct LongRows {
  XnorForward args;
  using Summand = Sum;

  template <int W>
  __device__ void gather(std::int64_t i, std::int64_t, Summand& sum) const {
    sum.value += sum_of_magnitudes<W>(static_cast<const X*>(args.x.data) + i);
  }

  template <int W>
  __device__ void apply(std::int64_t i, std::int64_t row, const Summand& sum) const {
    using T = Compute<X>;
    store_values<W, X, Y>(args, i, xnor_mean<T>(sum.value, args.means.length),
                          gamma_of<T>(args.gamma, row));
  }
};

// Rows up to this length are left to the threads of one warp, or of a part of it.
constexpr std::int64_t kShortRow = 2048;

// `lanes` threads, a power of two up to 32, to each row.
template <int N, class X, class Y>
__global__ void __launch_bounds__(kThreads)
    short_rows_kernel(XnorForward args, std::int64_t rows, int lanes) {
  using T = Compute<X>;
  const std::int64_t thread = std::int64_t{blockDim.x} * blockIdx.x + threadIdx.x;
  const std::int64_t row = thread / lanes, length = args.means.length;
  const std::int64_t begin = row * length, first = thread % lanes * N,
                     step = std::int64_t{lanes} * N;
  double sum = 0;
  if (row < rows)
    for (std::int64_t k = first; k < length; k += step)
      sum += sum_of_magnitudes<N>(static_cast<const X*>(args.x.data) + begin + k);
  // Each lane adds the same numbers in the same order, up to the order of two.
  for (int offset = lanes / 2; offset > 0; offset /= 2)
    sum += __shfl_xor_sync(0xffffffffu, sum, offset);
  if (row >= rows) return;
  const T mean = xnor_mean<T>(sum, length), gamma = gamma_of<T>(args.gamma, row);
  for (std::int64_t k = first; k < length; k += step)
    store_values<N, X, Y>(args, begin + k, mean, gamma);
}

// A block has blockDim.x vectors of neighboring columns; blockDim.y threads share a column.
// tiles: blocks side by side.
template <int N, class X, class Y>
__global__ void __launch_bounds__(kThreads) columns_kernel(XnorForward args, std::int64_t tiles) {
  using T = Compute<X>;
  __shared__ double sums[kThreads * N];
  const std::int64_t length = args.means.length, stride = args.means.stride;
  const std::int64_t column = (blockIdx.x % tiles * blockDim.x + threadIdx.x) * N;
  const std::int64_t begin = blockIdx.x / tiles * length * stride + column;
  const bool inside = column < stride;
  double* own = sums + (threadIdx.y * blockDim.x + threadIdx.x) * N;
  for (int j = 0; j < N; ++j) own[j] = 0;
  if (inside)
    for (std::int64_t k = threadIdx.y; k < length; k += blockDim.y) {
      const auto x = load<N>(static_cast<const X*>(args.x.data) + begin + k * stride);
      for (int j = 0; j < N; ++j) own[j] += static_cast<double>(absolute(static_cast<T>(x.at[j])));
    }
  __syncthreads();
  if (!inside) return;
  T means[N];
  for (int j = 0; j < N; ++j) {
    double sum = 0;
    for (unsigned part = 0; part < blockDim.y; ++part)
      sum += sums[(part * blockDim.x + threadIdx.x) * N + j];
    means[j] = xnor_mean<T>(sum, length);
  }
  for (std::int64_t k = threadIdx.y; k < length; k += blockDim.y) {
    const auto x = load<N>(static_cast<const X*>(args.x.data) + begin + k * stride);
    Vector<Y, N> y;
    for (int j = 0; j < N; ++j)
      y.at[j] = static_cast<Y>(xnor_value(static_cast<T>(x.at[j]), means[j], T(1)));
    store(static_cast<Y*>(args.y.data) + begin + k * stride, y);
  }
}

template <int N, class X, class Y>
void launch_short_rows(const XnorForward& args, cudaStream_t stream) {
  const std::int64_t rows = args.size / args.means.length;
  int lanes = 1;
  while (lanes < 32 && lanes * N < args.means.length) lanes *= 2;
  const std::int64_t blocks = (rows * lanes + kThreads - 1) / kThreads;
  short_rows_kernel<N, X, Y>
      <<<static_cast<unsigned>(blocks), kThreads, 0, stream>>>(args, rows, lanes);
}

template <int N, class X, class Y>
void launch_columns(const XnorForward& args, cudaStream_t stream) {
  const std::int64_t vectors = args.means.stride / N;
  unsigned width = 1;
  while (width < 32 && width < vectors) width *= 2;
  const std::int64_t tiles = (vectors + width - 1) / width;
  const std::int64_t blocks = args.size / (args.means.length * args.means.stride) * tiles;
  columns_kernel<N, X, Y>
      <<<static_cast<unsigned>(blocks), dim3(width, static_cast<unsigned>(kThreads) / width), 0,
         stream>>>(args, tiles);
}

// Calls launch(Type<X>, Type<Y>, Width<N>): N elements of a run move at once.
template <class LaunchKernel>
void visit_runs(const XnorForward& args, std::int64_t run, const LaunchKernel& launch) {
  visit_pair(args.x.type, args.y.type, [&]<class X, class Y>(Type<X> x, Type<Y> y) {
    visit_width<kVectorWidth<X, Y>>(run, {args.x.data, args.y.data},
                                    [&]<int N>(Width<N> width) { launch(x, y, width); });
  });
}

template <class X, class Y, class Mask>
struct Gradient {
  XnorBackward args;
  using T = Compute<X>;

  // The gradient of x of W elements, which go to `statistics`, too, if there is one.
  template <int W>
  __device__ void apply(std::int64_t i, T gamma, XnorStatistics* statistics) const {
    const auto x = load<W>(static_cast<const X*>(args.x.data) + i);
    const auto grad_y = load<W>(static_cast<const Y*>(args.grad_y.data) + i);
    Vector<X, W> grad_x;
    for (int k = 0; k < W; ++k) {
      const T value = static_cast<T>(x.at[k]), upstream = static_cast<T>(grad_y.at[k]);
      grad_x.at[k] = static_cast<X>(xnor_gradient<Mask>(value, upstream, gamma));
      if (statistics) statistics->add(value, upstream);
    }
    store(static_cast<X*>(args.grad_x.data) + i, grad_x);
  }
};

template <int N, class X, class Y, class Mask>
__global__ void __launch_bounds__(kThreads)
    gradient_kernel(Gradient<X, Y, Mask> gradient, Layout layout) {
  for_each_chunk<N>(layout, [&]<int W>(std::int64_t i, Width<W>) {
    gradient.template apply<W>(i, Compute<X>(1), nullptr);
  });
}

template <int N, class X, class Y, class Mask>
__global__ void __launch_bounds__(kThreads)
    gradient_with_gamma_kernel(Gradient<X, Y, Mask> gradient, Layout layout) {
  using T = Compute<X>;
  const XnorBackward& args = gradient.args;
  const T gamma = static_cast<const T*>(args.gamma)[layout.group()];
  XnorStatistics part, total;
  for_each_chunk<N>(layout, [&]<int W>(std::int64_t i, Width<W>) {
    gradient.template apply<W>(i, gamma, &part);
  });
  if (group_sum(part, layout, static_cast<Workspace*>(args.workspace), total))
    static_cast<T*>(args.grad_gamma)[layout.group()] =
        static_cast<T>(total.gamma_gradient(args.means.length));
}

}  // namespace

void xnor_forward(const XnorForward& args, Stream stream) {
  const std::int64_t length = args.means.length, stride = args.means.stride;
  const auto cuda_stream = static_cast<cudaStream_t>(stream);
  if (length == 0)
    map<Signs>(args, args.x.type, args.y.type, {args.size, 1}, {args.x.data, args.y.data}, stream);
  else if (stride > 1)
    visit_runs(args, stride, [&]<class X, class Y, int N>(Type<X>, Type<Y>, Width<N>) {
      launch_columns<N, X, Y>(args, cuda_stream);
    });
  else if (length <= kShortRow)
    visit_runs(args, length, [&]<class X, class Y, int N>(Type<X>, Type<Y>, Width<N>) {
      launch_short_rows<N, X, Y>(args, cuda_stream);
    });
  else
    gather_and_apply<LongRows>(args, args.x.type, args.y.type, {length, args.size / length},
                               {args.x.data, args.y.data}, stream);
  check_launch("xnor_forward");
}

void xnor_backward(const XnorBackward& args, Stream stream) {
  const auto cuda_stream = static_cast<cudaStream_t>(stream);
  const std::int64_t run = args.gamma ? args.means.length : args.size;
  const Groups groups{run, args.size / run};
  visit_pair(args.x.type, args.grad_y.type, [&]<class X, class Y>(Type<X>, Type<Y>) {
    visit_mask<Compute<X>>(args.mask, [&]<class Mask>(Type<Mask>) {
      visit_width<kVectorWidth<X, Y>>(
          groups, {args.x.data, args.grad_y.data, args.grad_x.data}, [&]<int N>(Width<N>) {
            const Launch launch = launch_over(args.size, groups, N);
            const Gradient<X, Y, Mask> gradient{args};
            const auto kernel = args.gamma ? gradient_with_gamma_kernel<N, X, Y, Mask>
                                           : gradient_kernel<N, X, Y, Mask>;
            kernel<<<launch.blocks, launch.threads, 0, cuda_stream>>>(gradient, launch.layout);
          });
    });
  });
  check_launch("xnor_backward");
}

}  // namespace lowbit::kernels::cuda
