#include "lowbit/kernels/reference/max_pool.h"

#include <limits>

#include "lowbit/kernels/visit.h"

namespace lowbit::kernels::reference {
namespace {

// body(pixel's place in x, place in the window) for the pixels of window (row, column) of an image.
template <class Body>
void for_each_pixel(const MaxPoolShape& shape, std::int64_t image, int row, int column,
                    const Body& body) {
  const PoolAxis &height = shape.height, &width = shape.width;
  for (int h = height.first_pixel(row); h < height.last_pixel(row); ++h)
    for (int w = width.first_pixel(column); w < width.last_pixel(column); ++w)
      body((image * height.size + h) * width.size + w,
           height.place(h, row) * width.kernel + width.place(w, column));
}

// body(place in y, image, row, column) for all windows.
template <class Body>
void for_each_window(const MaxPoolShape& shape, const Body& body) {
  std::int64_t place = 0;
  for (std::int64_t image = 0; image < shape.batch; ++image)
    for (int row = 0; row < shape.height.windows; ++row)
      for (int column = 0; column < shape.width.windows; ++column)
        body(place++, image, row, column);
}

template <class T>
void forward(const MaxPoolForward& args) {
  const T* x = static_cast<const T*>(args.x.data);
  T* y = static_cast<T*>(args.y.data);
  const std::int64_t channels = args.shape.channels;
  for_each_window(args.shape, [&](std::int64_t window, std::int64_t image, int row, int column) {
    for (std::int64_t c = 0; c < channels; ++c) {
      T largest = -std::numeric_limits<T>::infinity();
      int found = -1;
      for_each_pixel(args.shape, image, row, column, [&](std::int64_t pixel, int place) {
        const T value = x[pixel * channels + c];
        if (found >= 0 && !is_new_maximum(value, largest)) return;
        largest = value;
        found = place;
      });
      y[window * channels + c] = largest;
      args.places[window * channels + c] = static_cast<std::uint8_t>(found);
    }
  });
}

template <class T>
void backward(const MaxPoolBackward& args) {
  const T* grad_y = static_cast<const T*>(args.grad_y.data);
  T* grad_x = static_cast<T*>(args.grad_x.data);
  const MaxPoolShape& shape = args.shape;
  const std::int64_t channels = shape.channels;
  const std::int64_t size = shape.batch * shape.height.size * shape.width.size * channels;
  for (std::int64_t i = 0; i < size; ++i) grad_x[i] = 0;
  for_each_window(shape, [&](std::int64_t window, std::int64_t image, int row, int column) {
    for_each_pixel(shape, image, row, column, [&](std::int64_t pixel, int place) {
      for (std::int64_t c = 0; c < channels; ++c)
        if (args.places[window * channels + c] == place)
          grad_x[pixel * channels + c] += grad_y[window * channels + c];
    });
  });
}

}  // namespace

void max_pool_forward(const MaxPoolForward& args) {
  visit_compute_type(args.x.type, [&]<class T>(Type<T>) { forward<T>(args); });
}

void max_pool_backward(const MaxPoolBackward& args) {
  visit_compute_type(args.grad_y.type, [&]<class T>(Type<T>) { backward<T>(args); });
}

}  // namespace lowbit::kernels::reference
