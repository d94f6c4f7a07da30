#include <png.h>

#include <csetjmp>
#include <cstring>

#include "lowbit/core/error.h"
#include "lowbit/data/image_formats.h"

namespace lowbit::data {
namespace {

// As for JPEG: libpng leaves by a long jump, so no object with a destructor lies on the way.
struct PngReader {
  png_structp state = nullptr;
  png_infop info = nullptr;
  std::string_view rest;  // bytes not read yet
  char message[256] = "";
  std::vector<png_bytep> rows;

  PngReader() = default;
  ~PngReader() { png_destroy_read_struct(&state, &info, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;
};

[[noreturn]] void leave_libpng(png_structp state, png_const_charp text) {
  auto* reader = static_cast<PngReader*>(png_get_error_ptr(state));
  std::strncpy(reader->message, text, sizeof reader->message - 1);
  png_longjmp(state, 1);
}

void on_png_warning(png_structp, png_const_charp) {}

void read_bytes(png_structp state, png_bytep to, size_t size) {
  auto* reader = static_cast<PngReader*>(png_get_io_ptr(state));
  if (size > reader->rest.size()) png_error(state, "the file ends too early");
  std::memcpy(to, reader->rest.data(), size);
  reader->rest.remove_prefix(size);
}

// False, with reader.message, where libpng gives up.
bool read_png_header(PngReader& reader) {
  reader.state =
      png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, leave_libpng, on_png_warning);
  if (!reader.state || setjmp(png_jmpbuf(reader.state))) return false;
  reader.info = png_create_info_struct(reader.state);
  png_set_read_fn(reader.state, &reader, read_bytes);
  png_read_info(reader.state, reader.info);
  return true;
}

bool is_gray_of_16_bits(const PngReader& reader) {
  return png_get_color_type(reader.state, reader.info) == PNG_COLOR_TYPE_GRAY &&
         png_get_bit_depth(reader.state, reader.info) == 16;
}

void ask_for_rgb(png_structp state) {
  png_set_palette_to_rgb(state);
  png_set_expand_gray_1_2_4_to_8(state);
  png_set_strip_16(state);
  png_set_strip_alpha(state);
  png_set_gray_to_rgb(state);
}

// Big-endian numbers of 16 bits at the start of each row become three bytes, from the right so
// that none is overwritten before it is read.
void cut_off_gray(uint8_t* row, int64_t width) {
  for (int64_t x = width - 1; x >= 0; --x) {
    const uint8_t gray = row[2 * x] == 0 ? row[2 * x + 1] : 255;
    row[3 * x] = row[3 * x + 1] = row[3 * x + 2] = gray;
  }
}

// False, with reader.message, where libpng gives up.
bool read_all(PngReader& reader, int64_t height, int64_t width, std::vector<uint8_t>& pixels) {
  if (setjmp(png_jmpbuf(reader.state))) return false;
  const bool gray_of_16_bits = is_gray_of_16_bits(reader);
  if (!gray_of_16_bits) ask_for_rgb(reader.state);
  png_set_interlace_handling(reader.state);
  png_read_update_info(reader.state, reader.info);
  pixels.resize(static_cast<size_t>(height * width * 3));
  for (int64_t y = 0; y < height; ++y) reader.rows.push_back(pixels.data() + y * width * 3);
  png_read_image(reader.state, reader.rows.data());
  png_read_end(reader.state, nullptr);
  if (gray_of_16_bits)
    for (png_bytep row : reader.rows) cut_off_gray(row, width);
  return true;
}

class PngPicture : public Picture {
 public:
  explicit PngPicture(std::string_view bytes) {
    reader_.rest = bytes;
    if (!read_png_header(reader_)) throw core::failure("PNG: {}", reader_.message);
    height_ = png_get_image_height(reader_.state, reader_.info);
    width_ = png_get_image_width(reader_.state, reader_.info);
    check_size(static_cast<uint64_t>(height_), static_cast<uint64_t>(width_));
  }

  bool has_fractions() const override { return false; }

  // libpng knows where a row begins only behind the rows above it: all is decoded.
  PixelRows read(const Region& region, int, std::vector<uint8_t>& pixels, Rest) override {
    if (!read_all(reader_, height_, width_, pixels))
      throw core::failure("PNG: {}", reader_.message);
    return {pixels.data() + (region.top * width_ + region.left) * 3, width_ * 3};
  }

 private:
  PngReader reader_;
};

}  // namespace

std::unique_ptr<Picture> open_png(std::string_view bytes) {
  return std::make_unique<PngPicture>(bytes);
}

}  // namespace lowbit::data
