// What the values of a program are, and where they stand in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lowbit/runtime/aligned.h"
#include "lowbit/runtime/program_generated.h"

namespace lowbit::runtime {

struct Shape {
  int height = 0, width = 0, channels = 0;

  bool operator==(const Shape&) const = default;
  size_t pixels() const { return static_cast<size_t>(height) * static_cast<size_t>(width); }
  // Of [height, width, channels].
  size_t count() const { return pixels() * static_cast<size_t>(channels); }
  // Numbers in a row of pixels.
  size_t row() const { return static_cast<size_t>(width) * static_cast<size_t>(channels); }
};

struct ValueType {
  packed::Kind kind = packed::Kind::real;
  Shape shape;
  int levels = 0;  // of codes; 0 of reals

  bool operator==(const ValueType&) const = default;
  size_t element_bytes() const { return kind == packed::Kind::real ? sizeof(float) : 1; }
  size_t bytes() const { return shape.count() * element_bytes(); }
};

// A value in memory, [height, width, channels], the channel fastest; or some of its rows.
struct Tensor {
  ValueType type;
  void* data = nullptr;
  int first_row = 0;  // at `data`

  float* reals() const { return static_cast<float*>(data); }
  uint8_t* codes() const { return static_cast<uint8_t*>(data); }
  // Where row `y` begins.
  std::byte* row(int y) const {
    return static_cast<std::byte*>(data) +
           static_cast<size_t>(y - first_row) * type.shape.row() * type.element_bytes();
  }
  float* real_row(int y) const { return reinterpret_cast<float*>(row(y)); }
  uint8_t* code_row(int y) const { return reinterpret_cast<uint8_t*>(row(y)); }
};

// The values of a run by number, as a thread sees them: one of them may be its own.
class Values {
 public:
  Values(std::span<const Tensor> shared) : shared_(shared) {}
  Values(const Values& others, size_t number)
      : shared_(others.shared_), own_number_(number), own_(others[number]) {}

  const Tensor& operator[](size_t number) const {
    return number == own_number_ ? own_ : shared_[number];
  }
  Tensor& own() { return own_; }
  std::span<const Tensor> shared() const { return shared_; }

 private:
  std::span<const Tensor> shared_;
  size_t own_number_ = SIZE_MAX;
  Tensor own_;
};

// Rows [first, last) of a value.
struct Rows {
  int first = 0, last = 0;
};

// Channels [first, last) of a value.
struct Channels {
  int first = 0, last = 0;

  size_t count() const { return static_cast<size_t>(last - first); }
};

}  // namespace lowbit::runtime
