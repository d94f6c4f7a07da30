// Samples of a set of pictures, read and decoded ahead of their use by threads of their own.
#pragma once

#include <torch/types.h>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "lowbit/data/batch_maker.h"
#include "lowbit/data/picture_set.h"
#include "lowbit/data/sample.h"

namespace lowbit::data {

struct StreamOptions {
  SampleRecipe recipe;
  bool lighting = false;      // draws what draw_lighting says, for the step that normalizes
  bool skip_damaged = false;  // takes the next image of the set in the place of a damaged one
  int threads = 1;            // that decode, at least 1
  bool pinned = false;        // the batches lie in pinned memory
};

// An image that could not be read and was skipped.
struct SkippedImage {
  std::string name;
  std::string reason;
};

// A batch in host memory, with room for more samples than it has.
struct DecodedBatch {
  torch::Tensor pixels;    // uint8 [B, side, side, 3]
  torch::Tensor labels;    // int64 [B]
  torch::Tensor indices;   // int64 [B]: which images of the set they are
  torch::Tensor lighting;  // float32 [B, 3]; undefined without lighting
  // uint8 [B, side, side, 3]: the pixels where a BatchMaker has gathered them; undefined without.
  torch::Tensor pixels_on_device;
  std::vector<SkippedImage> skipped;
};

// Holds a few batches and nothing else of the images, whatever the size of the set. A sample
// depends on (seed, epoch, index) alone, not on the threads or on how far they are ahead. The first
// time that it reads an image it looks for damage anywhere in it (require_whole), so that it does
// not depend on the seed or epoch whether an image counts as damaged.
class SampleStream {
 public:
  // `elsewhere` makes what samples it can; null: the threads make all of them.
  SampleStream(std::unique_ptr<const PictureSet> images, const StreamOptions& options,
               std::unique_ptr<BatchMaker> elsewhere = nullptr);
  ~SampleStream();
  SampleStream(const SampleStream&) = delete;
  SampleStream& operator=(const SampleStream&) = delete;

  // Nothing is decoded any more until the next batch(); every batch is given up.
  void stop();

  // From here on batches are of this epoch, in this order (indices of images; not empty, and left
  // as it is until the next call).
  void start_epoch(int64_t epoch, std::span<const int64_t> order);

  // When batch() has given the last batch of an epoch, which stays as it is until the next batch():
  // begins with another epoch, in batches of the size that it was asked for last.
  void go_on_with(int64_t epoch, std::span<const int64_t> order);

  // Waits for the samples first .. first + count - 1 of the order. Batches of the same size that
  // follow each other are decoded ahead; anything else begins anew. The batch before this one is
  // given up. An Error (failure) naming the image and the reason if one cannot be read and is
  // not skipped, of several the first in the order.
  const DecodedBatch& batch(int64_t first, int64_t count);

  const PictureSet& images() const { return *images_; }
  int64_t side() const { return options_.recipe.side; }  // pixels

 private:
  struct Slot {
    DecodedBatch data;  // with room for capacity_ samples
    int64_t first = 0, count = 0;
    int64_t unread = 0;     // samples that a thread has still to deal with
    bool finished = false;  // whatever there is to come of it has
    std::exception_ptr error;
    int64_t error_at = 0;  // its sample
  };
  using Task = BatchMaker::Place;

  void work();
  bool has_task() const;
  Task next_task();
  void decode(const Task& task, SampleMaker& maker, bool on_cpu = false);
  int64_t make_or_skip(const Task& task, int64_t wanted, SampleMaker& maker, bool on_cpu);
  void make(const Task& task, int64_t index, SampleMaker& maker, bool on_cpu);
  void require_whole_or_leave(const Task& task, const StoredPicture& stored);
  void make_elsewhere(size_t slot, SampleMaker& maker);
  void attempt(const Task& task, std::unique_lock<std::mutex>& lock,
               const std::function<void()>& work);
  void stop_decoding(std::unique_lock<std::mutex>& lock);
  void begin_at(int64_t first, int64_t count);
  void open_slot();
  void make_room(int64_t count);
  const Slot& newest() const { return slots_[(oldest_ + opened_ - 1) % slots_.size()]; }

  // One is in use, the others are decoded into: with a BatchMaker more, since then a batch goes
  // through two hands.
  static constexpr size_t kSlots = 3, kSlotsElsewhere = 6;

  const std::unique_ptr<const PictureSet> images_;
  const StreamOptions options_;
  const std::unique_ptr<BatchMaker> elsewhere_;

  std::mutex mutex_;  // of what follows
  std::condition_variable work_to_do_, work_done_;
  bool ending_ = false;
  int64_t epoch_ = 0;
  std::span<const int64_t> order_;
  std::vector<Slot> slots_;
  int64_t capacity_ = 0;    // samples of a slot
  int64_t batch_size_ = 0;  // 0: nothing is being decoded
  size_t oldest_ = 0;       // the slot that batch() gives next, or has just given
  size_t opened_ = 0;       // slots from the oldest on that are decoded or being so
  bool oldest_in_use_ = false;
  int64_t next_first_ = 0;   // of the batch whose slot is opened next
  int64_t next_sample_ = 0;  // of the slot opened last
  int64_t running_ = 0;      // tasks

  // By image: it has been decoded to its end once, so that from then on only what a sample shows of
  // it is decoded.
  std::vector<std::atomic<bool>> known_whole_;

  std::vector<std::jthread> threads_;  // last: they use all of it
};

}  // namespace lowbit::data
