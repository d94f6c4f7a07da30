#include "lowbit/kernels/cuda/augment.h"
#include "lowbit/kernels/cuda/launch.cuh"
#include "lowbit/kernels/math/assemble.h"

namespace lowbit::kernels::cuda {
namespace {

// Pixels that a thread makes, one after another.
constexpr int kPixels = 8;

// Each block belongs to one sample. That every thread draws the placement anew costs less than to
// wait for one that does it for all.
template <class Out>
__global__ void __launch_bounds__(kThreads)
    assemble_kernel(AssembleBatch args, unsigned blocks_per_image) {
  using T = Compute<Out>;
  const int64_t b = blockIdx.x / blocks_per_image;
  const auto first = static_cast<int>(blockIdx.x % blocks_per_image * kPixels * kThreads);
  const int height = static_cast<int>(args.height), width = static_cast<int>(args.width);
  const Sample sample = sample_of_batch(args, b);
  if (first == 0 && threadIdx.x == 0) args.targets[b] = sample.label;
  const Divisor<T> std[3] = {static_cast<T>(args.std[0]), static_cast<T>(args.std[1]),
                             static_cast<T>(args.std[2])};

  for (int i = 0; i < kPixels; ++i) {
    const int pixel = first + i * kThreads + static_cast<int>(threadIdx.x);
    if (pixel >= height * width) return;
    const int row = pixel / width, column = pixel % width;
    const uint8_t* source = sample.image + 3 * (source_row(sample.placement, row, height) * width +
                                                source_column(sample.placement, column, width));
    const PixelPlace place = pixel_place(args, b, row, column);
    Out* out = static_cast<Out*>(args.images.data) + place.first;
    for (int channel = 0; channel < 3; ++channel) {
      out[channel * place.step] =
          static_cast<Out>(normalized(source[channel], static_cast<T>(args.mean[channel]),
                                      std[channel], static_cast<T>(sample.light[channel])));
    }
  }
}

template <class Out>
void launch(const AssembleBatch& args, Stream stream) {
  constexpr std::int64_t kInBlock = kPixels * kThreads;
  const auto blocks_per_image =
      static_cast<unsigned>((args.height * args.width + kInBlock - 1) / kInBlock);
  const unsigned blocks = static_cast<unsigned>(args.batch) * blocks_per_image;
  assemble_kernel<Out>
      <<<blocks, kThreads, 0, static_cast<cudaStream_t>(stream)>>>(args, blocks_per_image);
  check_launch("assemble_batch");
}

}  // namespace

void assemble_batch(const AssembleBatch& args, Stream stream) {
  switch (args.images.type) {
    case ScalarType::float64:
      return launch<double>(args, stream);
    case ScalarType::float32:
      return launch<float>(args, stream);
    case ScalarType::float16:
      return launch<__half>(args, stream);
    case ScalarType::bfloat16:
      return launch<__nv_bfloat16>(args, stream);
  }
}

}  // namespace lowbit::kernels::cuda
