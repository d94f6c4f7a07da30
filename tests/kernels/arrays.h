// Arrays of any type where a back end wants them, so that one test body serves all of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lowbit/kernels/types.h"

namespace lowbit::kernels {

// A back end with the types of what enters and of what leaves a quantizer.
struct Target {
  Backend backend;
  ScalarType x, y;

  ScalarType compute() const { return compute_type(x); }
};

// All that this build has kernels for.
std::vector<Target> all_targets();
std::string name(const Target& target);

// False for a target that needs a GPU on a machine without one.
bool available(const Target& target);

// The relative error of one rounding to the type.
double rounding(ScalarType type);

// `values` as numbers of `type`, in the memory of the back end.
class Array {
 public:
  Array(Backend backend, ScalarType type, const std::vector<double>& values);
  ~Array();
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  void* data() const { return data_; }
  Input input() const { return {data_, type_}; }
  Output output() const { return {data_, type_}; }
  // Waits for the device.
  std::vector<double> values() const;

 private:
  Backend backend_;
  ScalarType type_;
  std::size_t size_;
  void* data_ = nullptr;
};

// Integers in the memory of the back end.
class Integers {
 public:
  Integers(Backend backend, const std::vector<std::int32_t>& values);
  ~Integers();
  Integers(const Integers&) = delete;
  Integers& operator=(const Integers&) = delete;

  std::int32_t* data() const { return static_cast<std::int32_t*>(data_); }
  // Waits for the device.
  std::vector<std::int32_t> values() const;

 private:
  Backend backend_;
  std::size_t size_;
  void* data_ = nullptr;
};

// The values after one rounding to the type.
std::vector<double> rounded(ScalarType type, const std::vector<double>& values);

// `size` numbers in [low, high), the same for the same seed.
std::vector<double> random_values(std::size_t size, double low, double high, unsigned seed);

// The workspace of the back end, zeroed when it was made and used by every test after another.
void* workspace(Backend backend);

}  // namespace lowbit::kernels
