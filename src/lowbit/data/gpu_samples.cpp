#include "lowbit/data/gpu_samples.h"

#include <algorithm>
#include <cmath>

#include "lowbit/core/error.h"

#ifdef LOWBIT_CUDA
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <condition_variable>
#include <memory>
#include <mutex>

#include "lowbit/core/log.h"
#include "lowbit/data/color.h"
#include "lowbit/data/nvjpeg.h"
#include "lowbit/kernels/cuda/resample.h"
#endif

namespace lowbit::data {
namespace {

// nvJPEG goes through a batch picture by picture and waits for each: beside a training step, whose
// kernels hold the multiprocessors, that wait is what takes the time, so two batches are decoded at
// once.
constexpr int kBatchesAtOnce = 2;

}  // namespace

#ifdef LOWBIT_CUDA
namespace {

using kernels::cuda::ResampleJob;

// Decoded pictures lie here, a part of a batch after the other.
constexpr int64_t kArenaBytes = int64_t{256} << 20;
// Of pictures that the engines decode, in pixels; others are rare.
constexpr int64_t kLeastSide = 64, kMostSide = 16384;

constexpr int64_t up_to(int64_t multiple, int64_t size) {
  return (size + multiple - 1) / multiple * multiple;
}

Axis part_of_axis(int64_t size, int64_t scaled, int64_t first, int64_t count) {
  return {.size = size,
          .begin = 0,
          .end = static_cast<double>(size),
          .to = scaled,
          .first = first,
          .count = count};
}

class GpuSamples : public BatchMaker {
 public:
  GpuSamples(const SampleRecipe& recipe, torch::Device device, double cpu_share)
      : recipe_(recipe), cpu_share_(cpu_share), device_(device), stream_(new_stream(device)) {
    for (int i = 0; i < kBatchesAtOnce; ++i) {
      lines_.push_back(std::make_unique<Line>(device));
      free_lines_.push_back(lines_.back().get());
    }
  }

  void make_room(size_t slots, int64_t count) override;
  std::string& memory(const Place& place) override { return sample_at(place).memory; }
  bool take(const Place& place, std::string_view bytes, const Picture& picture, int64_t epoch,
            int64_t index) override;
  void leave(const Place& place) override { sample_at(place).taken = false; }
  std::vector<int64_t> make(size_t slot, int64_t count) override;
  torch::Tensor gather(size_t slot, const torch::Tensor& pixels, int64_t count) override;

 private:
  struct Sample {
    bool taken = false;
    std::string memory;
    std::string_view bytes;
    int64_t height = 0, width = 0;  // of the picture
    Region box;
    ResampleJob job;  // without its pointers

    // Of the decoded picture, whose rows begin where the engines like it.
    int64_t row_bytes() const { return up_to(256, width * 3); }
    int64_t picture_bytes() const { return row_bytes() * up_to(16, height); }
    int64_t arena_bytes(int64_t side) const {
      return up_to(256, picture_bytes() + box.height * side * 3);
    }
  };
  struct Slot {
    std::vector<Sample> samples;
    torch::Tensor pixels;  // uint8 [count, side, side, 3] on the device
  };

  // What makes one batch at a time, part after part.
  struct Line {
    explicit Line(torch::Device device) : stream(new_stream(device)) {}

    const c10::cuda::CUDAStream stream;
    NvJpeg decoder;
    torch::Tensor arena;              // uint8 [kArenaBytes] on the device
    torch::Tensor jobs, device_jobs;  // bytes of a part's jobs: pinned, on the device
  };

  static c10::cuda::CUDAStream new_stream(torch::Device device) {
    return c10::cuda::getStreamFromPool(/*isHighPriority=*/true, device.index());
  }

  Sample& sample_at(const Place& place) {
    return slots_[place.slot].samples[static_cast<size_t>(place.sample)];
  }
  Line& take_line();
  void give_back(Line& line);
  bool make_part(Line& line, Slot& slot, std::span<const int64_t> part);

  const SampleRecipe recipe_;
  const double cpu_share_;
  const torch::Device device_;
  const c10::cuda::CUDAStream stream_;
  std::vector<Slot> slots_;
  std::vector<std::unique_ptr<Line>> lines_;

  std::mutex mutex_;  // of what follows
  std::condition_variable line_is_free_;
  std::vector<Line*> free_lines_;
};

void GpuSamples::make_room(size_t slots, int64_t count) {
  const c10::cuda::CUDAStreamGuard guard(stream_);
  const auto bytes = torch::dtype(torch::kUInt8).device(device_);
  slots_.resize(slots);
  for (Slot& slot : slots_) {
    slot.samples.resize(static_cast<size_t>(count));
    slot.pixels = torch::empty({count, recipe_.side, recipe_.side, 3}, bytes);
  }
  const int64_t job_bytes = count * static_cast<int64_t>(sizeof(ResampleJob));
  for (const auto& line : lines_) {
    if (!line->arena.defined()) line->arena = torch::empty({kArenaBytes}, bytes);
    line->jobs = torch::empty({job_bytes}, torch::dtype(torch::kUInt8).pinned_memory(true));
    line->device_jobs = torch::empty({job_bytes}, bytes);
  }
}

GpuSamples::Line& GpuSamples::take_line() {
  std::unique_lock lock(mutex_);
  line_is_free_.wait(lock, [this] { return !free_lines_.empty(); });
  Line& line = *free_lines_.back();
  free_lines_.pop_back();
  return line;
}

void GpuSamples::give_back(Line& line) {
  const std::lock_guard lock(mutex_);
  free_lines_.push_back(&line);
  line_is_free_.notify_one();
}

bool GpuSamples::take(const Place& place, std::string_view bytes, const Picture& picture,
                      int64_t epoch, int64_t index) {
  Sample& sample = sample_at(place);
  sample.taken = false;
  if (is_left_to_cpu(index, cpu_share_)) return false;
  const auto [shorter, longer] = std::minmax({picture.height(), picture.width()});
  if (shorter < kLeastSide || longer > kMostSide || !picture.is_plain_jpeg()) return false;
  const Crop crop = recipe_.crop(picture, epoch, index);
  sample.bytes = bytes;
  sample.height = picture.height();
  sample.width = picture.width();
  sample.box = crop.box;
  sample.job = {.row_bytes = sample.row_bytes(),
                .rows = part_of_axis(crop.box.height, crop.scaled_height, crop.window.top,
                                     crop.window.height),
                .columns = part_of_axis(crop.box.width, crop.scaled_width, crop.window.left,
                                        crop.window.width)};
  if (recipe_.jitter) sample.job.jitter = draw_color_jitter(recipe_.seed, epoch, index);
  sample.taken = sample.arena_bytes(recipe_.side) <= kArenaBytes &&
                 kernels::cuda::resample_fits(sample.job.rows) &&
                 kernels::cuda::resample_fits(sample.job.columns);
  return sample.taken;
}

std::vector<int64_t> GpuSamples::make(size_t slot_number, int64_t count) {
  const auto give_back = [this](Line* line) { this->give_back(*line); };
  const std::unique_ptr<Line, decltype(give_back)> line(&take_line(), give_back);
  const c10::cuda::CUDAStreamGuard guard(line->stream);
  Slot& slot = slots_[slot_number];
  std::vector<int64_t> part, refused;
  int64_t used = 0;
  const auto end_part = [&] {
    if (!make_part(*line, slot, part)) refused.insert(refused.end(), part.begin(), part.end());
    part.clear();
    used = 0;
  };
  for (int64_t i = 0; i < count; ++i) {
    const Sample& sample = slot.samples[static_cast<size_t>(i)];
    if (!sample.taken) continue;
    const int64_t bytes = sample.arena_bytes(recipe_.side);
    if (used + bytes > kArenaBytes) end_part();
    used += bytes;
    part.push_back(i);
  }
  end_part();
  line->stream.synchronize();
  for (const int64_t i : refused) leave({slot_number, i});
  return refused;
}

// Enqueues a part of a batch that fits into the arena; false if it is not decoded.
bool GpuSamples::make_part(Line& line, Slot& slot, std::span<const int64_t> part) {
  if (part.empty()) return true;
  // The part before is done, arena and jobs are free; nvJPEG has been seen to hang where it is
  // given a batch while the one before is still on its way.
  line.stream.synchronize();
  auto* jobs = reinterpret_cast<ResampleJob*>(line.jobs.data_ptr<uint8_t>());
  kernels::cuda::Resample work{
      .jobs = reinterpret_cast<ResampleJob*>(line.device_jobs.data_ptr<uint8_t>()),
      .count = static_cast<int64_t>(part.size()),
      .side = recipe_.side,
      .jitter = recipe_.jitter};
  std::vector<JpegToDecode> pictures;
  uint8_t* free = line.arena.data_ptr<uint8_t>();
  for (const int64_t i : part) {
    const Sample& sample = slot.samples[static_cast<size_t>(i)];
    pictures.push_back({sample.bytes, free, sample.row_bytes()});
    ResampleJob& job = *jobs++ = sample.job;
    job.source = free + sample.box.top * sample.row_bytes() + sample.box.left * 3;
    job.narrow = free + sample.picture_bytes();
    job.to = slot.pixels.data_ptr<uint8_t>() + i * recipe_.side * recipe_.side * 3;
    free += sample.arena_bytes(recipe_.side);
    work.most_rows = std::max(work.most_rows, job.rows.size);
    work.most_taps = std::max({work.most_taps, most_taps(job.rows), most_taps(job.columns)});
  }
  if (!line.decoder.decode(pictures, line.stream.stream())) {
    core::warn_once("data set dali: nvJPEG refuses some images, the CPU decodes their batches");
    return false;
  }
  const int64_t job_bytes = work.count * static_cast<int64_t>(sizeof(ResampleJob));
  line.device_jobs.narrow(0, 0, job_bytes)
      .copy_(line.jobs.narrow(0, 0, job_bytes), /*non_blocking=*/true);
  kernels::cuda::resample(work, line.stream.stream());
  return true;
}

torch::Tensor GpuSamples::gather(size_t slot_number, const torch::Tensor& pixels, int64_t count) {
  const c10::cuda::CUDAStreamGuard guard(stream_);
  Slot& slot = slots_[slot_number];
  for (int64_t i = 0; i < count; ++i)
    if (!slot.samples[static_cast<size_t>(i)].taken)
      slot.pixels[i].copy_(pixels[i], /*non_blocking=*/true);
  stream_.synchronize();
  return slot.pixels.narrow(0, 0, count);
}

}  // namespace

std::unique_ptr<BatchMaker> open_gpu_samples(const SampleRecipe& recipe, torch::Device device,
                                             double cpu_share) {
  if (!device.is_cuda()) throw core::failure("there is no GPU");
  const c10::cuda::CUDAGuard guard(device);
  return std::make_unique<GpuSamples>(recipe, device, cpu_share);
}

#else

std::unique_ptr<BatchMaker> open_gpu_samples(const SampleRecipe&, torch::Device, double) {
  throw core::failure("this build has no CUDA");
}

#endif

bool is_left_to_cpu(int64_t index, double share) {
  // Multiples of the golden ratio fill the unit interval evenly, however many there are.
  constexpr double kGoldenRatio = 0.6180339887498949;
  const double place = static_cast<double>(index) * kGoldenRatio;
  return place - std::floor(place) < share;
}

double balanced_cpu_share(int threads) {
  // Measured beside ResNet-18 on an H100, of photographs of 100 kB: a thread makes 720 images a
  // second and a step takes 13,000; every image that the GPU makes takes time from the step. Those
  // threads that wait for nvJPEG make none.
  constexpr double kShareOfAThread = 0.055, kMost = 0.75;
  return std::clamp((threads - kBatchesAtOnce) * kShareOfAThread, 0.0, kMost);
}

}  // namespace lowbit::data
