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

[[noreturn]] void leave(png_structp state, png_const_charp text) {
  auto* reader = static_cast<PngReader*>(png_get_error_ptr(state));
  std::strncpy(reader->message, text, sizeof reader->message - 1);
  png_longjmp(state, 1);
}

void on_warning(png_structp, png_const_charp) {}

void read_bytes(png_structp state, png_bytep to, size_t size) {
  auto* reader = static_cast<PngReader*>(png_get_io_ptr(state));
  if (size > reader->rest.size()) png_error(state, "the file ends too early");
  std::memcpy(to, reader->rest.data(), size);
  reader->rest.remove_prefix(size);
}

void ask_for_rgb(png_structp state) {
  png_set_palette_to_rgb(state);
  png_set_expand_gray_1_2_4_to_8(state);
  png_set_strip_16(state);
  png_set_strip_alpha(state);
  png_set_gray_to_rgb(state);
  png_set_interlace_handling(state);
}

// False, with reader.message, where libpng gives up.
bool decode(PngReader& reader, Image& image) {
  reader.state = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, leave, on_warning);
  if (!reader.state || setjmp(png_jmpbuf(reader.state))) return false;
  reader.info = png_create_info_struct(reader.state);
  png_set_read_fn(reader.state, &reader, read_bytes);
  png_read_info(reader.state, reader.info);
  image.height = png_get_image_height(reader.state, reader.info);
  image.width = png_get_image_width(reader.state, reader.info);
  check_size(static_cast<uint64_t>(image.height), static_cast<uint64_t>(image.width));
  ask_for_rgb(reader.state);
  png_read_update_info(reader.state, reader.info);
  image.pixels.resize(static_cast<size_t>(image.height * image.width * 3));
  for (int64_t y = 0; y < image.height; ++y)
    reader.rows.push_back(image.pixels.data() + y * image.width * 3);
  png_read_image(reader.state, reader.rows.data());
  png_read_end(reader.state, nullptr);
  return true;
}

}  // namespace

Image decode_png(std::string_view bytes) {
  PngReader reader;
  reader.rest = bytes;
  Image image;
  if (!decode(reader, image)) throw core::failure("PNG: {}", reader.message);
  return image;
}

}  // namespace lowbit::data
