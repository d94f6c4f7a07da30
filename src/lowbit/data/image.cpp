#include "lowbit/data/image.h"

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/data/image_formats.h"

namespace lowbit::data {

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

Image decode_image(std::string_view bytes) {
  const std::unique_ptr<Picture> picture = open_picture(bytes);
  Image image{picture->height(), picture->width(), {}};
  // All of it lies in `pixels` just as an Image has it.
  picture->read({0, 0, image.height, image.width}, 8, image.pixels);
  return image;
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
