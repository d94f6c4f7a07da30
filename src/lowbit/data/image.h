// Compressed pictures as pixels: JPEG and PNG, as PIL's convert("RGB") gives them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lowbit::data {

struct Image {
  int64_t height = 0, width = 0;  // pixels
  std::vector<uint8_t> pixels;    // [height, width, 3]: rows from the top, red, green, blue
};

// More pixels than any photograph has: a file that claims them is damaged or hostile.
inline constexpr int64_t kMostPixels = int64_t{1} << 28;

// A rectangle of pixels.
struct Region {
  int64_t top = 0, left = 0, height = 0, width = 0;
};

// Decoded pixels, three bytes each, in memory of somebody else.
struct PixelRows {
  const uint8_t* first = nullptr;
  int64_t row_bytes = 0;  // from a pixel to the one below it
};

// What becomes of the part of a file that a rectangle does not need.
enum class Rest {
  skip,   // it may stay unread, damage included
  check,  // damage in it is an Error, too
};

// A picture of which only the size has been read.
class Picture {
 public:
  Picture() = default;
  virtual ~Picture() = default;
  Picture(const Picture&) = delete;
  Picture& operator=(const Picture&) = delete;

  int64_t height() const { return height_; }
  int64_t width() const { return width_; }

  // Whether read() knows fractions of the size: a JPEG's blocks can be decoded to fewer pixels.
  virtual bool has_fractions() const = 0;

  // Whether decoders in hardware take it: a baseline JPEG of one scan, gray or with chroma that is
  // whole or halved. Such a decoder does not say what is damaged: see require_whole.
  virtual bool is_plain_jpeg() const { return false; }

  // Gives a rectangle that lies within the picture, once; the result
  // points into `pixels` or to what the picture was opened with. With `eighths` 1, 2 or 4 the
  // picture is first reduced to ceil(size * eighths / 8), and the rectangle is one of that; 8: as
  // it is. An Error (failure) that says what is wrong; with Rest::check the same one for every
  // rectangle.
  virtual PixelRows read(const Region& region, int eighths, std::vector<uint8_t>& pixels,
                         Rest rest) = 0;

 protected:
  int64_t height_ = 0, width_ = 0;  // pixels
};

// Reads the size. The format is that of the first bytes, whatever the file is called; `bytes`
// outlive the picture. Gray, palette and CMYK become red, green, blue; transparency and the
// orientation that a camera notes are dropped. Of 16 bits the lower half is dropped, but a gray
// picture of 16 bits is cut off at 255, as PIL does. An Error (failure) that says what is wrong if
// the picture is cut off, damaged, of another format or has more than kMostPixels.
std::unique_ptr<Picture> open_picture(std::string_view bytes);

// A picture as a data set keeps it.
struct StoredPicture {
  std::string_view bytes;
  // Of raw pixels, which lie in `bytes` as in an Image; 0: a file, of which the format says more.
  int64_t height = 0, width = 0;
};

// The same for either kind; nothing can be wrong with raw pixels of as many bytes as they have.
std::unique_ptr<Picture> open_picture(const StoredPicture& stored);

// The one rule of what is damaged: an Error (failure) unless the file can be decoded to its end. A
// JPEG's numbers are read, but hardly any pixel is made of them.
void require_whole(const StoredPicture& stored);

// All of it, with the errors of require_whole.
Image decode_image(std::string_view bytes);
Image decode_image(Picture& picture);

// The same for a file, which the error names.
Image read_image(const std::filesystem::path& path);

// The image as a JPEG file; quality 1..100, chroma at half the resolution. An Error (failure) for a
// side of more than 65500 pixels.
std::string encode_jpeg(const Image& image, int quality);

}  // namespace lowbit::data
