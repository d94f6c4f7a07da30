// The samples of an image set as a training or validation step consumes them: in the order of the
// epoch, augmented, normalized, assembled on the device of the step.
#pragma once

#include <array>
#include <cstdint>

#include "lowbit/data/dataset.h"
#include "lowbit/kernels/types.h"

namespace lowbit::data {

struct BatchOptions {
  uint64_t seed = 0;
  bool shuffle = false;                        // a new order every epoch; false: that of the files
  kernels::Augmentation augmentation;          // none by default
  std::array<double, 3> mean{}, std{1, 1, 1};  // per channel, of values in 0..1
  kernels::Backend backend = kernels::Backend::cpu;  // cuda if and only if device is
  torch::Device device = torch::kCPU;
};

// Shuffled and augmented for Split::train, neither for Split::validation.
BatchOptions batch_options(const config::DataOptions& options, Split split, uint64_t seed,
                           kernels::Backend backend, torch::Device device);

// Owns the set and, on its device, the order of the epoch, the epoch and the cursor: the position
// in the order of the next batch's first sample. A batch depends on (seed, epoch, cursor, size)
// alone.
//
// Everything is enqueued on the current stream of the device and nothing waits for it: use one
// stream, or order the streams. assemble() reads only device memory of fixed addresses, so it may
// be captured in a CUDA graph, whose replays then walk through the epoch; start_epoch() and
// set_cursor() may not, and are called between replays.
class BatchSource {
 public:
  // Moves the set to the device and starts epoch 0. An Error (usage) if backend and device do not
  // fit.
  BatchSource(ImageSet set, const BatchOptions& options);

  // Orders the samples for this epoch (0..2^32 - 1) and sets the cursor to 0.
  void start_epoch(int64_t epoch);

  // Continues at another place of the epoch: 0..size().
  void set_cursor(int64_t position);

  // Fills images [B, 3, H, W] (float64, float32, float16 or bfloat16; contiguous or channels-last,
  // both dense) and targets (int64 [B]) with the next B samples and moves the cursor by B. The
  // caller stays within the epoch: cursor + B <= size(), since the cursor is on the device and is
  // not looked at. An Error for tensors of another shape, type or device.
  void assemble(const torch::Tensor& images, const torch::Tensor& targets);

  int64_t size() const { return set_.size(); }
  int64_t height() const { return set_.pixels.size(1); }  // pixels
  int64_t width() const { return set_.pixels.size(2); }
  const std::vector<std::string>& class_names() const { return set_.class_names; }

 private:
  ImageSet set_;
  BatchOptions options_;
  torch::Tensor state_;  // int64 on the device: cursor, epoch, then, if shuffled, the order [N]
};

}  // namespace lowbit::data
