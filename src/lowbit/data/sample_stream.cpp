#include "lowbit/data/sample_stream.h"

#include <algorithm>

#include "lowbit/core/error.h"
#include "lowbit/core/threads.h"
#include "lowbit/data/color.h"
#include "lowbit/kernels/parallel.h"

namespace lowbit::data {
namespace {

constexpr const char* kHowToGoOn =
    "--skip_damaged takes the next image in its place; lowbit tools verify-data lists all that are "
    "damaged";

}  // namespace

SampleStream::SampleStream(std::unique_ptr<const PictureSet> images, const StreamOptions& options,
                           std::unique_ptr<BatchMaker> elsewhere)
    : images_(std::move(images)),
      options_(options),
      elsewhere_(std::move(elsewhere)),
      slots_(elsewhere_ ? kSlotsElsewhere : kSlots),
      known_whole_(static_cast<size_t>(images_->size())) {
  // The thread that trains may be kept on a core of its own, and these would inherit that.
  const std::vector<int> cores = kernels::unpinned_cores();
  for (int i = 0; i < options.threads; ++i)
    threads_.emplace_back([this, cores] {
      core::stay_on(cores);
      work();
    });
}

SampleStream::~SampleStream() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  work_to_do_.notify_all();
}

void SampleStream::stop() {
  std::unique_lock lock(mutex_);
  stop_decoding(lock);
}

void SampleStream::start_epoch(int64_t epoch, std::span<const int64_t> order) {
  std::unique_lock lock(mutex_);
  stop_decoding(lock);
  epoch_ = epoch;
  order_ = order;
}

void SampleStream::go_on_with(int64_t epoch, std::span<const int64_t> order) {
  const std::lock_guard lock(mutex_);
  epoch_ = epoch;
  order_ = order;
  next_first_ = 0;
  open_slot();
  work_to_do_.notify_all();
}

const DecodedBatch& SampleStream::batch(int64_t first, int64_t count) {
  std::unique_lock lock(mutex_);
  if (oldest_in_use_) {
    oldest_in_use_ = false;
    oldest_ = (oldest_ + 1) % slots_.size();
    --opened_;
  }
  const bool expected = batch_size_ > 0 && opened_ > 0 && slots_[oldest_].first == first &&
                        slots_[oldest_].count == count;
  if (!expected) {
    stop_decoding(lock);
    begin_at(first, count);
  }
  work_to_do_.notify_all();
  Slot& slot = slots_[oldest_];
  work_done_.wait(lock, [&slot] { return slot.finished; });
  oldest_in_use_ = true;
  if (slot.error) std::rethrow_exception(slot.error);
  std::ranges::sort(slot.data.skipped, {}, &SkippedImage::name);
  return slot.data;
}

// Waits for the tasks that run; drops the others and every batch.
void SampleStream::stop_decoding(std::unique_lock<std::mutex>& lock) {
  batch_size_ = 0;
  work_done_.wait(lock, [this] { return running_ == 0; });
  opened_ = 0;
  oldest_in_use_ = false;
}

void SampleStream::begin_at(int64_t first, int64_t count) {
  make_room(count);
  batch_size_ = count;
  oldest_ = 0;
  next_first_ = first;
  open_slot();
}

// Adds the batch at next_first_ to what is decoded.
void SampleStream::open_slot() {
  Slot& slot = slots_[(oldest_ + opened_) % slots_.size()];
  ++opened_;
  slot.first = next_first_;
  slot.count = std::min(batch_size_, static_cast<int64_t>(order_.size()) - next_first_);
  slot.unread = slot.count;
  slot.finished = false;
  slot.error = nullptr;
  slot.data.skipped.clear();
  next_first_ += slot.count;
  next_sample_ = 0;
}

void SampleStream::make_room(int64_t count) {
  if (count <= capacity_) return;
  capacity_ = count;
  const auto room = [&](std::vector<int64_t> shape, torch::ScalarType type) {
    return torch::empty(shape, torch::dtype(type).pinned_memory(options_.pinned));
  };
  for (Slot& slot : slots_) {
    slot.data.pixels = room({count, side(), side(), 3}, torch::kUInt8);
    slot.data.labels = room({count}, torch::kInt64);
    slot.data.indices = room({count}, torch::kInt64);
    if (options_.lighting) slot.data.lighting = room({count, 3}, torch::kFloat32);
  }
  if (elsewhere_) elsewhere_->make_room(slots_.size(), count);
}

bool SampleStream::has_task() const {
  if (batch_size_ == 0 || opened_ == 0) return false;
  if (next_sample_ < newest().count) return true;
  return opened_ < slots_.size() && next_first_ < static_cast<int64_t>(order_.size());
}

SampleStream::Task SampleStream::next_task() {
  if (next_sample_ == newest().count) open_slot();
  return {(oldest_ + opened_ - 1) % slots_.size(), next_sample_++};
}

void SampleStream::work() {
  SampleMaker maker(options_.recipe);
  std::unique_lock lock(mutex_);
  for (;;) {
    work_to_do_.wait(lock, [this] { return ending_ || has_task(); });
    if (ending_) return;
    const Task task = next_task();
    Slot& slot = slots_[task.slot];
    ++running_;
    attempt(task, lock, [&] { decode(task, maker); });
    if (--slot.unread == 0) {
      // A batch that was given up meanwhile need not be made.
      if (elsewhere_ && !slot.error && batch_size_ > 0)
        attempt(task, lock, [&] { make_elsewhere(task.slot, maker); });
      slot.finished = true;
    }
    --running_;
    if (slot.finished || running_ == 0) work_done_.notify_all();
  }
}

// Does the work without the lock; of several errors of a batch the first in its order stays.
void SampleStream::attempt(const Task& task, std::unique_lock<std::mutex>& lock,
                           const std::function<void()>& work) {
  std::exception_ptr error;
  lock.unlock();
  try {
    work();
  } catch (...) {
    error = std::current_exception();
  }
  lock.lock();
  Slot& slot = slots_[task.slot];
  if (error && (!slot.error || task.sample < slot.error_at)) {
    slot.error = error;
    slot.error_at = task.sample;
  }
}

// All samples of the batch have been read: makes those that the threads have not.
void SampleStream::make_elsewhere(size_t slot_number, SampleMaker& maker) {
  Slot& slot = slots_[slot_number];
  for (const int64_t sample : elsewhere_->make(slot_number, slot.count))
    decode({slot_number, sample}, maker, /*on_cpu=*/true);
  slot.data.pixels_on_device = elsewhere_->gather(slot_number, slot.data.pixels, slot.count);
}

void SampleStream::decode(const Task& task, SampleMaker& maker, bool on_cpu) {
  const Slot& slot = slots_[task.slot];
  const int64_t wanted = order_[static_cast<size_t>(slot.first + task.sample)];
  const int64_t index = make_or_skip(task, wanted, maker, on_cpu);
  slot.data.indices.data_ptr<int64_t>()[task.sample] = index;
  slot.data.labels.data_ptr<int64_t>()[task.sample] = images_->label(index);
  if (options_.lighting)
    std::ranges::copy(draw_lighting(options_.recipe.seed, epoch_, index),
                      slot.data.lighting.data_ptr<float>() + task.sample * 3);
}

// Makes the pixels of the sample and returns the image that they are of.
int64_t SampleStream::make_or_skip(const Task& task, int64_t wanted, SampleMaker& maker,
                                   bool on_cpu) {
  for (int64_t tried = 0; tried < images_->size(); ++tried) {
    const int64_t index = (wanted + tried) % images_->size();
    try {
      make(task, index, maker, on_cpu);
      return index;
    } catch (core::Error& error) {
      std::string name = images_->name(index);
      if (!options_.skip_damaged) throw error.at(name).detail(kHowToGoOn);
      const std::lock_guard lock(mutex_);
      slots_[task.slot].data.skipped.push_back({std::move(name), error.what()});
    }
  }
  throw core::failure("none of the {} images can be read", images_->size());
}

void SampleStream::make(const Task& task, int64_t index, SampleMaker& maker, bool on_cpu) {
  std::string own_memory;
  const StoredPicture stored =
      images_->stored(index, elsewhere_ ? elsewhere_->memory(task) : own_memory);
  const std::unique_ptr<Picture> picture = open_picture(stored);
  std::atomic<bool>& known_whole = known_whole_[static_cast<size_t>(index)];
  if (elsewhere_ && !on_cpu && elsewhere_->take(task, stored.bytes, *picture, epoch_, index)) {
    if (!known_whole) require_whole_or_leave(task, stored);
  } else {
    const int64_t bytes = side() * side() * 3;
    maker.make(*picture, epoch_, index,
               {slots_[task.slot].data.pixels.data_ptr<uint8_t>() + task.sample * bytes,
                static_cast<size_t>(bytes)},
               known_whole ? Rest::skip : Rest::check);
  }
  known_whole = true;
}

// Of a sample that was taken elsewhere, where damage goes unnoticed.
void SampleStream::require_whole_or_leave(const Task& task, const StoredPicture& stored) {
  try {
    require_whole(stored);
  } catch (...) {
    elsewhere_->leave(task);
    throw;
  }
}

}  // namespace lowbit::data
