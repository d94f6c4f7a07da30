// JPEG and PNG files with known pixels.
#pragma once

// jpeglib.h needs what stands before it.
// clang-format off
#include <cstdint>
#include <cstdlib>
#include <cstdio>
#include <jpeglib.h>
// clang-format on
#include <png.h>

#include <string>
#include <vector>

namespace lowbit::testing_support {

// height x width, the left half of one color, the right half of another; a color has as many bytes
// as the format has channels.
inline std::vector<uint8_t> halves(int height, int width, const std::vector<uint8_t>& left,
                                   const std::vector<uint8_t>& right) {
  std::vector<uint8_t> pixels;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const std::vector<uint8_t>& color = x < width / 2 ? left : right;
      pixels.insert(pixels.end(), color.begin(), color.end());
    }
  return pixels;
}

// color_space: JCS_GRAYSCALE, JCS_RGB or JCS_CMYK; colors are kept at full resolution.
inline std::string made_jpeg(int height, int width, J_COLOR_SPACE color_space,
                             std::vector<uint8_t> pixels, bool progressive = false) {
  jpeg_compress_struct state;
  jpeg_error_mgr errors;
  state.err = jpeg_std_error(&errors);
  jpeg_create_compress(&state);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&state, &bytes, &size);
  state.image_height = static_cast<JDIMENSION>(height);
  state.image_width = static_cast<JDIMENSION>(width);
  state.input_components = color_space == JCS_GRAYSCALE ? 1 : color_space == JCS_RGB ? 3 : 4;
  state.in_color_space = color_space;
  jpeg_set_defaults(&state);
  jpeg_set_quality(&state, 100, TRUE);
  for (int i = 0; i < state.num_components; ++i)
    state.comp_info[i].h_samp_factor = state.comp_info[i].v_samp_factor = 1;
  if (progressive) jpeg_simple_progression(&state);
  jpeg_start_compress(&state, TRUE);
  for (int y = 0; y < height; ++y) {
    JSAMPROW row = pixels.data() + static_cast<ptrdiff_t>(y) * width * state.input_components;
    jpeg_write_scanlines(&state, &row, 1);
  }
  jpeg_finish_compress(&state);
  jpeg_destroy_compress(&state);
  std::string file(reinterpret_cast<char*>(bytes), size);
  std::free(bytes);
  return file;
}

// color_type and bits: as the format counts them. palette: three bytes for each color.
inline std::string made_png(int height, int width, int color_type, int bits,
                            std::vector<uint8_t> pixels, const std::vector<uint8_t>& palette = {},
                            int interlace = PNG_INTERLACE_NONE) {
  png_structp state = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(state);
  std::string file;
  png_set_write_fn(
      state, &file,
      [](png_structp to, png_bytep bytes, size_t size) {
        static_cast<std::string*>(png_get_io_ptr(to))->append(reinterpret_cast<char*>(bytes), size);
      },
      [](png_structp) {});
  png_set_IHDR(state, info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), bits,
               color_type, interlace, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  std::vector<png_color> colors;
  for (size_t i = 0; i + 2 < palette.size(); i += 3)
    colors.push_back({palette[i], palette[i + 1], palette[i + 2]});
  if (!colors.empty()) png_set_PLTE(state, info, colors.data(), static_cast<int>(colors.size()));
  png_write_info(state, info);
  std::vector<png_bytep> rows;
  const size_t row_bytes = png_get_rowbytes(state, info);
  for (int y = 0; y < height; ++y)
    rows.push_back(pixels.data() + static_cast<size_t>(y) * row_bytes);
  png_write_image(state, rows.data());
  png_write_end(state, nullptr);
  png_destroy_write_struct(&state, &info);
  return file;
}

}  // namespace lowbit::testing_support
