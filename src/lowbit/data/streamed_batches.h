// Batches of a set that is decoded as it is needed.
#pragma once

#include <c10/core/Event.h>

#include <array>
#include <map>
#include <optional>

#include "lowbit/data/batches.h"
#include "lowbit/data/sample_stream.h"

namespace lowbit::data {

class StreamedBatches : public BatchSource {
 public:
  // Of the pictures of options.root; an Error (failure) as open_pictures says. Starts epoch 0.
  StreamedBatches(const config::DataOptions& data, Split split, const BatchOptions& options);

  void start_epoch(int64_t epoch) override;
  // fetch() is told the place.
  void set_cursor(int64_t) override {}
  // Waits until the threads have decoded the batch and the device has taken over the one before, so
  // that the host is never further ahead than two steps. On a GPU the batch travels beside the step
  // before it.
  void fetch(int64_t first, int64_t count) override;
  // Reads what was fetched last, which is of the size of `images`.
  void assemble(const torch::Tensor& images, const torch::Tensor& targets) override;
  int64_t size() const override { return stream_.images().size(); }
  int64_t height() const override { return stream_.side(); }
  int64_t width() const override { return stream_.side(); }
  const std::vector<std::string>& class_names() const override {
    return stream_.images().class_names();
  }
  uint64_t checksum() const override;
  Skipped take_skipped() override;

 private:
  StreamedBatches(const config::DataOptions& data, Split split, const BatchOptions& options,
                  const StreamOptions& stream);

  // What comes with a batch; a tensor is undefined where there is no such thing.
  struct Samples {
    torch::Tensor pixels, labels, indices, lighting;
  };
  static constexpr std::array kParts{&Samples::pixels, &Samples::labels, &Samples::indices,
                                     &Samples::lighting};
  // What assemble() reads, on the device: on a CPU the stream's own memory. On a GPU it must not
  // change while a step may still read it: a batch arrives in other memory and is then copied.
  struct Staged {
    Samples arriving, ready;
  };
  void decode(int64_t epoch);
  void begin_next_epoch();
  void stage(const DecodedBatch& batch, int64_t count);
  void send(const Samples& used, Staged& staged);

  BatchOptions options_;
  SampleStream stream_;
  int64_t wanted_epoch_ = 0;
  int64_t decoded_epoch_ = -1;  // what the stream is at: when all of an epoch is, the next one
  std::vector<int64_t> order_;  // of that epoch
  torch::Tensor epoch_;         // int64 [1] on the device
  std::map<int64_t, Staged> staged_;  // by batch size: captured steps know the addresses
  // Of a GPU alone: the way from host memory, the last batch has arrived, it was copied from there.
  std::optional<c10::Stream> way_;
  std::optional<c10::Event> arrived_, copied_;
  int64_t first_ = -1, count_ = 0;  // of the last batch; -1: none of this epoch
  Skipped skipped_;
};

}  // namespace lowbit::data
