#include "lowbit/data/image.h"

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/data/image_formats.h"

namespace lowbit::data {
namespace {

class RawPicture : public Picture {
 public:
  explicit RawPicture(const StoredPicture& stored)
      : pixels_(reinterpret_cast<const uint8_t*>(stored.bytes.data())) {
    height_ = stored.height;
    width_ = stored.width;
  }

  bool has_fractions() const override { return false; }

  PixelRows read(const Region& region, int, std::vector<uint8_t>&, Rest) override {
    return {pixels_ + (region.top * width_ + region.left) * 3, width_ * 3};
  }

 private:
  const uint8_t* pixels_;
};

}  // namespace

void check_size(uint64_t height, uint64_t width) {
  if (height > 0 && width > 0 && width <= static_cast<uint64_t>(kMostPixels) / height) return;
  throw core::failure("a picture of {}x{} pixels", width, height);
}

std::unique_ptr<Picture> open_picture(std::string_view bytes) {
  if (bytes.empty()) throw core::failure("the file is empty");
  if (bytes.starts_with("\xff\xd8\xff")) return open_jpeg(bytes);
  if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return open_png(bytes);
  throw core::failure("neither JPEG nor PNG");
}

std::unique_ptr<Picture> open_picture(const StoredPicture& stored) {
  if (stored.height == 0) return open_picture(stored.bytes);
  return std::make_unique<RawPicture>(stored);
}

void require_whole(const StoredPicture& stored) {
  std::vector<uint8_t> pixels;
  open_picture(stored)->read({0, 0, 1, 1}, 8, pixels, Rest::check);
}

Image decode_image(Picture& picture) {
  Image image{picture.height(), picture.width(), {}};
  const PixelRows rows =
      picture.read({0, 0, image.height, image.width}, 8, image.pixels, Rest::check);
  // All of a decoded picture lies in `pixels` just as an Image has it.
  if (image.pixels.empty())
    image.pixels.assign(rows.first, rows.first + image.height * rows.row_bytes);
  return image;
}

Image decode_image(std::string_view bytes) {
  return decode_image(*open_picture(bytes));
}

Image read_image(const std::filesystem::path& path) {
  const std::string bytes = core::read_file(path);
  try {
    return decode_image(bytes);
  } catch (core::Error& error) {
    error.at(path.string());
    throw;
  }
}

}  // namespace lowbit::data
