#include "lowbit/kernels/cpu/augment.h"

#include <array>
#include <vector>

#include "lowbit/kernels/math/assemble.h"
#include "lowbit/kernels/parallel.h"
#include "lowbit/kernels/visit.h"

namespace lowbit::kernels::cpu {
namespace {

// Only 256 numbers a channel can come out: the divisions are done for these, not for each pixel.
template <class T>
using Table = std::array<std::array<T, 256>, 3>;

template <class T>
Table<T> normalized_bytes(const AssembleBatch& args, const float (&light)[3]) {
  Table<T> table;
  for (int channel = 0; channel < 3; ++channel) {
    const T mean = static_cast<T>(args.mean[channel]), std = static_cast<T>(args.std[channel]);
    for (int byte = 0; byte < 256; ++byte)
      table[channel][byte] =
          normalized(static_cast<std::uint8_t>(byte), mean, std, static_cast<T>(light[channel]));
  }
  return table;
}

template <class T>
void assemble_sample(const AssembleBatch& args, const Table<T>& unlit, std::int64_t b) {
  const Sample sample = sample_of_batch(args, b);
  Table<T> lit;
  if (args.lighting) lit = normalized_bytes<T>(args, sample.light);
  const Table<T>& table = args.lighting ? lit : unlit;
  args.targets[b] = sample.label;
  const int height = static_cast<int>(args.height), width = static_cast<int>(args.width);
  // Where in a source row the pixels of an output row begin: the same for all rows.
  std::vector<int> columns(args.width);
  for (int x = 0; x < width; ++x) columns[x] = 3 * source_column(sample.placement, x, width);
  for (int y = 0; y < height; ++y) {
    const std::uint8_t* row = sample.image + 3 * width * source_row(sample.placement, y, height);
    const PixelPlace place = pixel_place(args, b, y, 0);
    T* out = static_cast<T*>(args.images.data) + place.first;
    for (const int column : columns) {
      for (int channel = 0; channel < 3; ++channel)
        out[channel * place.step] = table[channel][row[column + channel]];
      out += args.channels_last ? 3 : 1;
    }
  }
}

template <class T>
void assemble(const AssembleBatch& args) {
  const Table<T> table = normalized_bytes<T>(args, {0, 0, 0});
  constexpr std::int64_t pixels_worth_a_thread = 1 << 13;
  parallel_for(args.batch, pixels_worth_a_thread / (args.height * args.width) + 1,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t b = begin; b < end; ++b) assemble_sample(args, table, b);
               });
}

}  // namespace

void assemble_batch(const AssembleBatch& args) {
  visit_compute_type(args.images.type,
                     [&](auto type) { assemble<typename decltype(type)::type>(args); });
}

}  // namespace lowbit::kernels::cpu
