// The samples of a data set as a training or validation step consumes them: in the order of the
// epoch, augmented, normalized, assembled on the device of the step.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "lowbit/data/dataset.h"
#include "lowbit/distributed/shard.h"
#include "lowbit/kernels/augment.h"
#include "lowbit/kernels/types.h"

namespace lowbit::data {

struct BatchOptions {
  uint64_t seed = 0;
  bool shuffle = false;                        // a new order every epoch; false: that of the files
  kernels::Augmentation augmentation;          // none by default
  std::array<double, 3> mean{}, std{1, 1, 1};  // per channel, of values in 0..1
  kernels::Backend backend = kernels::Backend::cpu;  // cuda if and only if device is
  torch::Device device = torch::kCPU;
  distributed::Shard shard;  // of the samples, where several processes train
  // Training samples that are decoded at full size, as those of validation always are.
  bool exact = false;
};

// Shuffled and augmented for Split::train, neither for Split::validation.
BatchOptions batch_options(const config::DataOptions& options, Split split, uint64_t seed,
                           kernels::Backend backend, torch::Device device);

// The samples that the process visits in the epoch, in that order.
std::vector<int64_t> order_of_epoch(const BatchOptions& options, int64_t size, int64_t epoch);

// Images that could not be read, and what stood in their place: the next ones of the set.
struct Skipped {
  int64_t count = 0;
  std::string first;  // "FILE: REASON" of the first
};

// Owns the set and the order of the epoch. A batch depends on (seed, epoch, first sample, size)
// alone. Where the set is sharded, positions are those in the process's part of the epoch, and
// size() is still that of the whole set.
//
// Everything is enqueued on the current stream of the device and nothing waits for it: use one
// stream, or order the streams. assemble() reads only device memory of fixed addresses, so it may
// be captured in a CUDA graph, whose replays then walk through the epoch; the other functions may
// not, and are called between replays.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  BatchSource(const BatchSource&) = delete;
  BatchSource& operator=(const BatchSource&) = delete;

  // Orders the samples for this epoch (0..2^32 - 1); the next batch begins with the first.
  virtual void start_epoch(int64_t epoch) = 0;

  // The next batch begins at another place of the epoch.
  virtual void set_cursor(int64_t position) = 0;

  // Before each assemble(), or replay of one: samples first .. first + count - 1 are what it will
  // read. Where the set is not held on the device this brings them there and may wait for files;
  // an Error (failure) names one that cannot be read. The cursor stands at `first`.
  virtual void fetch(int64_t first, int64_t count) = 0;

  // Fills images [B, 3, H, W] (float64, float32, float16 or bfloat16; contiguous or channels-last,
  // both dense) and targets (int64 [B]) with the next B samples and moves the cursor by B. The
  // caller stays within the epoch: cursor + B <= size(), since the cursor is on the device and is
  // not looked at. An Error for tensors of another shape, type or device.
  virtual void assemble(const torch::Tensor& images, const torch::Tensor& targets) = 0;

  // All three for a batch outside of a captured step: samples first .. first + B - 1.
  void assemble_at(int64_t first, const torch::Tensor& images, const torch::Tensor& targets);

  virtual int64_t size() const = 0;
  virtual int64_t height() const = 0;  // pixels
  virtual int64_t width() const = 0;
  virtual const std::vector<std::string>& class_names() const = 0;

  // Of labels and classes, and of the pixels where they are held: the same in processes that see
  // the same set.
  virtual uint64_t checksum() const = 0;

  // What was skipped since the last call.
  virtual Skipped take_skipped() { return {}; }

 protected:
  BatchSource() = default;
};

// The split of options.dataset, held on the device or decoded as it is needed. An Error as load()
// says. rank and processes: this process's place among those that share the batches of
// options.train_batch or val_batch.
std::unique_ptr<BatchSource> open_batches(const config::DataOptions& data, Split split,
                                          uint64_t seed, kernels::Backend backend,
                                          torch::Device device, int rank = 0, int processes = 1);
std::unique_ptr<BatchSource> open_batches(const config::DataOptions& data, Split split,
                                          const BatchOptions& options);

// A set that is held on the device, with the cursor, the epoch and the order.
class ResidentBatches : public BatchSource {
 public:
  // Moves the set to the device and starts epoch 0. An Error (usage) if backend and device do not
  // fit.
  ResidentBatches(ImageSet set, const BatchOptions& options);

  void start_epoch(int64_t epoch) override;
  void set_cursor(int64_t position) override;
  void fetch(int64_t, int64_t) override {}
  void assemble(const torch::Tensor& images, const torch::Tensor& targets) override;
  int64_t size() const override { return set_.size(); }
  int64_t height() const override { return set_.pixels.size(1); }
  int64_t width() const override { return set_.pixels.size(2); }
  const std::vector<std::string>& class_names() const override { return set_.class_names; }
  uint64_t checksum() const override;

 private:
  ImageSet set_;
  BatchOptions options_;
  // int64 on the device: cursor, epoch, then, unless it is that of the files, the order.
  torch::Tensor state_;
  bool ordered_;
};

// For sources: that backend and device fit, else an Error (usage).
void require_backend(const BatchOptions& options);

// For sources: that images and targets fit a batch of height x width pixels on the device, else an
// Error (usage).
void require_outputs(const torch::Tensor& images, const torch::Tensor& targets, int64_t height,
                     int64_t width, torch::Device device);

// For sources: what does not depend on where the set is.
kernels::AssembleBatch batch_arguments(const BatchOptions& options, const torch::Tensor& images,
                                       const torch::Tensor& targets);

}  // namespace lowbit::data
