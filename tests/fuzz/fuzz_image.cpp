// Any bytes as a picture: a sample of it as in training, in part and at a fraction, then all of it.
#include <cstdint>
#include <string_view>

#include "lowbit/core/error.h"
#include "lowbit/data/image.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace pictures = lowbit::data;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  // A header may claim any size; what is allocated for it says nothing about the decoder.
  constexpr int64_t kMostPixels = 1 << 20;
  for (const int eighths : {8, 2}) {
    try {
      const auto picture = pictures::open_picture(bytes);
      if (picture->height() * picture->width() > kMostPixels) return 0;
      const bool reduced = eighths < 8 && picture->has_fractions();
      const int used = reduced ? eighths : 8;
      const int64_t height = (picture->height() * used + 7) / 8,
                    width = (picture->width() * used + 7) / 8;
      const pictures::Region part{height / 3, width / 3, (height + 2) / 3, (width + 2) / 3};
      std::vector<uint8_t> pixels;
      const pictures::PixelRows rows = picture->read(
          part, used, pixels, eighths == 8 ? pictures::Rest::check : pictures::Rest::skip);
      unsigned sum = 0;
      for (int64_t y = 0; y < part.height; ++y)
        for (int64_t x = 0; x < part.width * 3; ++x) sum += rows.first[y * rows.row_bytes + x];
      if (eighths == 8) sum += pictures::decode_image(bytes).pixels.back();
      volatile unsigned kept = sum;
      static_cast<void>(kept);
    } catch (const lowbit::core::Error&) {
    }
  }
  return 0;
}
