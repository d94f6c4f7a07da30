#include "lowbit/kernels/reference/augment.h"

#include "lowbit/kernels/math/assemble.h"
#include "lowbit/kernels/visit.h"

namespace lowbit::kernels::reference {
namespace {

template <class T>
void assemble(const AssembleBatch& args) {
  T* images = static_cast<T*>(args.images.data);
  const int height = static_cast<int>(args.height), width = static_cast<int>(args.width);
  for (int64_t b = 0; b < args.batch; ++b) {
    const Sample sample = sample_of_batch(args, b);
    args.targets[b] = sample.label;
    for (int row = 0; row < height; ++row) {
      for (int column = 0; column < width; ++column) {
        const uint8_t* source =
            sample.image + 3 * (source_row(sample.placement, row, height) * width +
                                source_column(sample.placement, column, width));
        const PixelPlace place = pixel_place(args, b, row, column);
        for (int channel = 0; channel < 3; ++channel) {
          images[place.first + channel * place.step] =
              normalized(source[channel], static_cast<T>(args.mean[channel]),
                         static_cast<T>(args.std[channel]), static_cast<T>(sample.light[channel]));
        }
      }
    }
  }
}

}  // namespace

void assemble_batch(const AssembleBatch& args) {
  visit_compute_type(args.images.type,
                     [&](auto type) { assemble<typename decltype(type)::type>(args); });
}

}  // namespace lowbit::kernels::reference
