#include "lowbit/kernels/augment.h"

#include <algorithm>
#include <string_view>

#include "lowbit/core/error.h"
#include "lowbit/kernels/check.h"
#include "lowbit/kernels/cpu/augment.h"
#include "lowbit/kernels/cuda/augment.h"
#include "lowbit/kernels/dispatch.h"
#include "lowbit/kernels/reference/augment.h"

namespace lowbit::kernels {
namespace {

constexpr std::string_view op = "assemble_batch";

void check_sizes(const AssembleBatch& args) {
  // Positions inside an image are ints, and so is the number of a CUDA block.
  constexpr std::int64_t max_pixels = 1 << 28;
  if (args.image_count < 1 || args.height < 1 || args.width < 1 ||
      args.height > max_pixels / args.width || args.batch > max_pixels / (args.height * args.width))
    throw core::usage_error("{}: {} samples of {} images of {}x{} pixels", op, args.batch,
                            args.image_count, args.height, args.width);
  if (args.indices && args.image_count < args.batch)
    throw core::usage_error("{}: {} images for a batch of {}", op, args.image_count, args.batch);
  const int pad = args.augmentation.pad;
  if (pad < 0 || pad >= std::min(args.height, args.width))
    throw core::usage_error("{}: a pad of {} for images of {}x{} pixels", op, pad, args.height,
                            args.width);
}

}  // namespace

void assemble_batch(Backend backend, const AssembleBatch& args, Stream stream) {
  check_arrays(op, args.batch,
               {{"pixels", args.pixels},
                {"labels", args.labels},
                {"cursor or indices", args.indices ? args.indices : args.cursor},
                {"epoch", args.epoch},
                {"images", args.images.data},
                {"targets", args.targets}});
  check_types(op, backend, args.images.type, args.images.type);
  if (args.batch == 0) return;
  check_sizes(args);
  dispatch(backend, args, stream, reference::assemble_batch, cpu::assemble_batch,
           cuda::assemble_batch);
}

}  // namespace lowbit::kernels
