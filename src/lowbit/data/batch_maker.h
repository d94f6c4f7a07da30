// Samples made batch by batch elsewhere than on the CPU.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lowbit/data/image.h"

namespace lowbit::data {

// What SampleStream gives the pictures to that it can make samples of. Batches lie in slots that
// are used again and again.
class BatchMaker {
 public:
  BatchMaker() = default;
  virtual ~BatchMaker() = default;
  BatchMaker(const BatchMaker&) = delete;
  BatchMaker& operator=(const BatchMaker&) = delete;

  // Room for `count` samples in each of `slots` slots, in place of what there was.
  virtual void make_room(size_t slots, int64_t count) = 0;

  // A sample's place. Of the two functions of one several threads may call any at once, each for
  // another place.
  struct Place {
    size_t slot;
    int64_t sample;  // of the batch
  };

  // Where a sample's file may lie from then on.
  virtual std::string& memory(const Place& place) = 0;

  // Whether it makes this sample: `index` of the set in `epoch`, of a picture that has been opened
  // with `bytes`, which stay as they are until the slot is used again.
  virtual bool take(const Place& place, std::string_view bytes, const Picture& picture,
                    int64_t epoch, int64_t index) = 0;
  // Gives the sample back, if it was taken.
  virtual void leave(const Place& place) = 0;

  // Makes those of the slot's samples 0..count - 1 that were taken, and waits for them; returns
  // those that it could not make after all, and has left. Of the slots one after the other, by any
  // thread.
  virtual std::vector<int64_t> make(size_t slot, int64_t count) = 0;

  // The slot's samples 0..count - 1 on the device, uint8 [count, side, side, 3]: those that were
  // not taken are copied from `pixels`, which lies in host memory and has at least `count`. Waits
  // for them.
  virtual torch::Tensor gather(size_t slot, const torch::Tensor& pixels, int64_t count) = 0;
};

}  // namespace lowbit::data
