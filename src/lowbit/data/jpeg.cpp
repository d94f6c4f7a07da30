// jpeglib.h needs what stands before it.
// clang-format off
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include <algorithm>
#include <cstdlib>

#include "lowbit/core/error.h"
#include "lowbit/data/image_formats.h"

namespace lowbit::data {
namespace {

// libjpeg reports by calling back and must not be returned to: a long jump leads out of it. No
// object with a destructor may lie on the way, so all of them are in a JpegReader or JpegWriter.
struct JpegErrors {
  jpeg_error_mgr errors = {};
  std::jmp_buf way_out = {};
  char message[JMSG_LENGTH_MAX] = "";
};

struct JpegReader : JpegErrors {
  jpeg_decompress_struct state = {};
  std::vector<uint8_t> row;  // of a CMYK picture, or one that nobody sees

  JpegReader();
  ~JpegReader() { jpeg_destroy_decompress(&state); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  bool cmyk() const {
    return state.jpeg_color_space == JCS_CMYK || state.jpeg_color_space == JCS_YCCK;
  }
};

struct JpegWriter : JpegErrors {
  jpeg_compress_struct state = {};
  unsigned char* bytes = nullptr;
  unsigned long size = 0;

  JpegWriter();
  ~JpegWriter() {
    jpeg_destroy_compress(&state);
    std::free(bytes);
  }
  JpegWriter(const JpegWriter&) = delete;
  JpegWriter& operator=(const JpegWriter&) = delete;
};

[[noreturn]] void leave_libjpeg(j_common_ptr state) {
  auto* errors = static_cast<JpegErrors*>(state->client_data);
  state->err->format_message(state, errors->message);
  std::longjmp(errors->way_out, 1);
}

// libjpeg goes on with gray where data is missing or wrong: that is a damaged file here. Its other
// warnings, such as bytes too many, concern nothing that is shown.
void on_jpeg_warning(j_common_ptr state, int level) {
  if (level >= 0) return;
  switch (state->err->msg_code) {
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_JPEG_EOF:
    case JWRN_MUST_RESYNC:
      leave_libjpeg(state);
    default:
      return;
  }
}

JpegReader::JpegReader() {
  state.err = jpeg_std_error(&errors);
  state.client_data = static_cast<JpegErrors*>(this);
  errors.error_exit = leave_libjpeg;
  errors.emit_message = on_jpeg_warning;
}

JpegWriter::JpegWriter() {
  state.err = jpeg_std_error(&errors);
  state.client_data = static_cast<JpegErrors*>(this);
  errors.error_exit = leave_libjpeg;
}

// Files keep the ink that is left off, 255: none. As PIL: each color and black subtract from white.
void cmyk_to_rgb(const uint8_t* cmyk, int64_t pixels, uint8_t* rgb) {
  for (int64_t i = 0; i < pixels; ++i, cmyk += 4, rgb += 3)
    for (int color = 0; color < 3; ++color)
      rgb[color] = static_cast<uint8_t>((cmyk[color] * cmyk[3] + 127) / 255);
}

// False, with reader.message, where libjpeg gives up.
bool read_jpeg_header(JpegReader& reader, std::string_view bytes) {
  if (setjmp(reader.way_out)) return false;
  jpeg_decompress_struct& state = reader.state;
  jpeg_create_decompress(&state);
  jpeg_mem_src(&state, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&state, TRUE);
  return true;
}

// Whether each of the colors, or the brightness alone, is in the one scan; chroma as it is, or with
// half the columns, or with half of both.
bool is_of_usual_colors(const jpeg_decompress_struct& state) {
  if (state.comps_in_scan != state.num_components) return false;
  if (state.jpeg_color_space != JCS_GRAYSCALE && state.jpeg_color_space != JCS_YCbCr) return false;
  const jpeg_component_info* color = state.comp_info;
  for (int i = 1; i < state.num_components; ++i)
    if (color[i].h_samp_factor != 1 || color[i].v_samp_factor != 1) return false;
  const int wide = color[0].h_samp_factor, high = color[0].v_samp_factor;
  if (wide == 1 && high == 1) return true;
  return state.num_components == 3 && wide == 2 && (high == 1 || high == 2);
}

// Which part of the rows libjpeg gives: multiples of its blocks.
struct Columns {
  JDIMENSION first, count;
};

// Chroma is spread over its neighbors, so what stands at the edge of the part differs from the
// picture: that much more is decoded.
Columns wider(const Region& region, JDIMENSION width) {
  constexpr int64_t kMargin = 4;
  const int64_t first = std::max<int64_t>(region.left - kMargin, 0);
  const int64_t end = std::min<int64_t>(region.left + region.width + kMargin, width);
  return {static_cast<JDIMENSION>(first), static_cast<JDIMENSION>(end - first)};
}

// Reads the numbers of the rows that are left. libjpeg skips rows so, but for the last ones, which
// it does not look at: one of them is decoded.
void read_to_the_end(JpegReader& reader, JDIMENSION columns) {
  jpeg_decompress_struct& state = reader.state;
  constexpr size_t kMostComponents = 4;
  reader.row.resize(size_t{columns} * kMostComponents);
  jpeg_skip_scanlines(&state, state.output_height - state.output_scanline - 1);
  JSAMPROW row = reader.row.data();
  jpeg_read_scanlines(&state, &row, 1);
}

// False, with reader.message, where libjpeg gives up. `columns` becomes what the rows of `pixels`
// hold.
bool read_rows(JpegReader& reader, const Region& region, int eighths, Rest rest,
               std::vector<uint8_t>& pixels, Columns& columns) {
  if (setjmp(reader.way_out)) return false;
  jpeg_decompress_struct& state = reader.state;
  const bool cmyk = reader.cmyk();
  state.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
  state.scale_num = static_cast<unsigned>(eighths);
  state.scale_denom = 8;
  jpeg_start_decompress(&state);
  columns = {0, state.output_width};
  if (region.width < int64_t{columns.count}) {
    columns = wider(region, state.output_width);
    jpeg_crop_scanline(&state, &columns.first, &columns.count);
  }
  const int64_t row_bytes = int64_t{columns.count} * 3;
  pixels.resize(static_cast<size_t>(region.height * row_bytes));
  if (cmyk) reader.row.resize(size_t{columns.count} * 4);
  if (region.top > 0) jpeg_skip_scanlines(&state, static_cast<JDIMENSION>(region.top));
  for (int64_t y = 0; y < region.height; ++y) {
    uint8_t* rgb = pixels.data() + y * row_bytes;
    JSAMPROW row = cmyk ? reader.row.data() : rgb;
    jpeg_read_scanlines(&state, &row, 1);
    if (cmyk) cmyk_to_rgb(row, columns.count, rgb);
  }
  if (rest == Rest::check && state.output_scanline < state.output_height)
    read_to_the_end(reader, columns.count);
  if (state.output_scanline == state.output_height)
    jpeg_finish_decompress(&state);
  else
    jpeg_abort_decompress(&state);
  return true;
}

// False, with writer.message, where libjpeg gives up.
bool write_image(JpegWriter& writer, const Image& image, int quality) {
  if (setjmp(writer.way_out)) return false;
  jpeg_compress_struct& state = writer.state;
  jpeg_create_compress(&state);
  jpeg_mem_dest(&state, &writer.bytes, &writer.size);
  state.image_height = static_cast<JDIMENSION>(image.height);
  state.image_width = static_cast<JDIMENSION>(image.width);
  state.input_components = 3;
  state.in_color_space = JCS_RGB;
  jpeg_set_defaults(&state);
  jpeg_set_quality(&state, quality, TRUE);
  jpeg_start_compress(&state, TRUE);
  for (int64_t y = 0; y < image.height; ++y) {
    auto* row = const_cast<JSAMPROW>(image.pixels.data() + y * image.width * 3);
    jpeg_write_scanlines(&state, &row, 1);
  }
  jpeg_finish_compress(&state);
  return true;
}

class JpegPicture : public Picture {
 public:
  explicit JpegPicture(std::string_view bytes) {
    if (!read_jpeg_header(reader_, bytes)) throw core::failure("JPEG: {}", reader_.message);
    check_size(reader_.state.image_height, reader_.state.image_width);
    height_ = reader_.state.image_height;
    width_ = reader_.state.image_width;
  }

  bool has_fractions() const override { return true; }

  bool is_plain_jpeg() const override {
    const jpeg_decompress_struct& state = reader_.state;
    constexpr int kUsualBits = 8;
    return !state.progressive_mode && !state.arith_code && state.data_precision == kUsualBits &&
           is_of_usual_colors(state);
  }

  PixelRows read(const Region& region, int eighths, std::vector<uint8_t>& pixels,
                 Rest rest) override {
    Columns columns = {};
    if (!read_rows(reader_, region, eighths, rest, pixels, columns))
      throw core::failure("JPEG: {}", reader_.message);
    return {pixels.data() + (region.left - int64_t{columns.first}) * 3, int64_t{columns.count} * 3};
  }

 private:
  JpegReader reader_;
};

}  // namespace

std::unique_ptr<Picture> open_jpeg(std::string_view bytes) {
  return std::make_unique<JpegPicture>(bytes);
}

std::string encode_jpeg(const Image& image, int quality) {
  JpegWriter writer;
  if (!write_image(writer, image, quality)) throw core::failure("JPEG: {}", writer.message);
  return {reinterpret_cast<const char*>(writer.bytes), writer.size};
}

}  // namespace lowbit::data
