// jpeglib.h needs what stands before it.
// clang-format off
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include "lowbit/core/error.h"
#include "lowbit/data/image_formats.h"

namespace lowbit::data {
namespace {

// libjpeg reports by calling back and must not be returned to: a long jump leads out of it. No
// object with a destructor may lie on the way, so all of them are in here.
struct JpegReader {
  jpeg_error_mgr errors = {};
  jpeg_decompress_struct state = {};
  std::jmp_buf way_out = {};
  char message[JMSG_LENGTH_MAX] = "";
  std::vector<uint8_t> row;  // of a CMYK picture

  JpegReader();
  ~JpegReader() { jpeg_destroy_decompress(&state); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
};

[[noreturn]] void leave(j_common_ptr state) {
  auto* reader = static_cast<JpegReader*>(state->client_data);
  state->err->format_message(state, reader->message);
  std::longjmp(reader->way_out, 1);
}

// libjpeg goes on with grey where data is missing or wrong: that is a damaged file here. Its other
// warnings, such as bytes too many, concern nothing that is shown.
void on_warning(j_common_ptr state, int level) {
  if (level >= 0) return;
  switch (state->err->msg_code) {
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_JPEG_EOF:
    case JWRN_MUST_RESYNC:
      leave(state);
    default:
      return;
  }
}

JpegReader::JpegReader() {
  state.err = jpeg_std_error(&errors);
  state.client_data = this;
  errors.error_exit = leave;
  errors.emit_message = on_warning;
}

// Files keep the ink that is left off, 255: none. As PIL: each color and black subtract from white.
void cmyk_to_rgb(const uint8_t* cmyk, int64_t pixels, uint8_t* rgb) {
  for (int64_t i = 0; i < pixels; ++i, cmyk += 4, rgb += 3)
    for (int color = 0; color < 3; ++color)
      rgb[color] = static_cast<uint8_t>((cmyk[color] * cmyk[3] + 127) / 255);
}

// False, with reader.message, where libjpeg gives up.
bool decode(JpegReader& reader, std::string_view bytes, Image& image) {
  if (setjmp(reader.way_out)) return false;
  jpeg_decompress_struct& state = reader.state;
  jpeg_create_decompress(&state);
  jpeg_mem_src(&state, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&state, TRUE);
  check_size(state.image_height, state.image_width);
  const bool cmyk = state.jpeg_color_space == JCS_CMYK || state.jpeg_color_space == JCS_YCCK;
  state.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(&state);
  image.height = state.output_height;
  image.width = state.output_width;
  image.pixels.resize(static_cast<size_t>(image.height * image.width * 3));
  if (cmyk) reader.row.resize(static_cast<size_t>(image.width * 4));
  while (state.output_scanline < state.output_height) {
    uint8_t* rgb = image.pixels.data() + int64_t{state.output_scanline} * image.width * 3;
    JSAMPROW row = cmyk ? reader.row.data() : rgb;
    jpeg_read_scanlines(&state, &row, 1);
    if (cmyk) cmyk_to_rgb(row, image.width, rgb);
  }
  jpeg_finish_decompress(&state);
  return true;
}

}  // namespace

Image decode_jpeg(std::string_view bytes) {
  JpegReader reader;
  Image image;
  if (!decode(reader, bytes, image)) throw core::failure("JPEG: {}", reader.message);
  return image;
}

}  // namespace lowbit::data
