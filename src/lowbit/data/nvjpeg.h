// JPEGs decoded by NVIDIA's library nvJPEG: in the engines that an A100, H100 or H200 has for it,
// by the cores of other GPUs.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "lowbit/kernels/types.h"

namespace lowbit::data {

// A JPEG for which Picture::is_plain_jpeg holds, and where it goes to.
struct JpegToDecode {
  std::string_view bytes;
  uint8_t* pixels = nullptr;  // memory of the device: rows of red, green, blue
  int64_t row_bytes = 0;      // from a pixel to the one below it
};

class NvJpeg {
 public:
  // For the current device. An Error (failure) if this machine lacks the library (it is loaded
  // here, so that the program runs where it is missing) or the library does not work with the GPU.
  NvJpeg();
  ~NvJpeg();
  NvJpeg(const NvJpeg&) = delete;
  NvJpeg& operator=(const NvJpeg&) = delete;

  // Decodes them, in the order of the stream; the bytes must stay until the stream has come so far.
  // Waits for most of the work. False if the library refuses one of them: then none has been
  // decoded. Damage within a JPEG passes unnoticed. By one thread at a time.
  bool decode(std::span<const JpegToDecode> pictures, kernels::Stream stream);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lowbit::data
