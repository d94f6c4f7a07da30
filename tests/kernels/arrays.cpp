#include "arrays.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <random>
#include <stdexcept>

#ifdef LOWBIT_CUDA
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime_api.h>
#endif

namespace lowbit::kernels {
namespace {

std::string name(ScalarType type) {
  switch (type) {
    case ScalarType::float64:
      return "float64";
    case ScalarType::float32:
      return "float32";
    case ScalarType::float16:
      return "float16";
    case ScalarType::bfloat16:
      return "bfloat16";
  }
  throw std::logic_error("no such type");
}

template <class T>
std::vector<std::byte> encoded(const std::vector<double>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const T value = static_cast<T>(values[i]);
    std::memcpy(&bytes[i * sizeof(T)], &value, sizeof(T));
  }
  return bytes;
}

template <class T>
std::vector<double> decoded(const std::vector<std::byte>& bytes) {
  std::vector<double> values(bytes.size() / sizeof(T));
  for (std::size_t i = 0; i < values.size(); ++i) {
    T value;
    std::memcpy(&value, &bytes[i * sizeof(T)], sizeof(T));
    values[i] = static_cast<double>(value);
  }
  return values;
}

std::vector<std::byte> encode(ScalarType type, const std::vector<double>& values) {
  if (type == ScalarType::float64) return encoded<double>(values);
  if (type == ScalarType::float32) return encoded<float>(values);
#ifdef LOWBIT_CUDA
  if (type == ScalarType::float16) return encoded<__half>(values);
  if (type == ScalarType::bfloat16) return encoded<__nv_bfloat16>(values);
#endif
  throw std::logic_error("half types need CUDA");
}

std::vector<double> decode(ScalarType type, const std::vector<std::byte>& bytes) {
  if (type == ScalarType::float64) return decoded<double>(bytes);
  if (type == ScalarType::float32) return decoded<float>(bytes);
#ifdef LOWBIT_CUDA
  // By way of float: a half has no conversion to double.
  std::vector<double> values(bytes.size() / 2);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (type == ScalarType::float16) {
      __half value;
      std::memcpy(&value, &bytes[2 * i], 2);
      values[i] = __half2float(value);
    } else {
      __nv_bfloat16 value;
      std::memcpy(&value, &bytes[2 * i], 2);
      values[i] = __bfloat162float(value);
    }
  }
  return values;
#else
  throw std::logic_error("half types need CUDA");
#endif
}

std::size_t bytes_of(ScalarType type) {
  return type == ScalarType::float64 ? 8 : type == ScalarType::float32 ? 4 : 2;
}

#ifdef LOWBIT_CUDA
void require(cudaError_t error) {
  if (error != cudaSuccess) throw std::runtime_error(cudaGetErrorString(error));
}

void* allocate(Backend backend, std::size_t bytes) {
  if (backend != Backend::cuda) return ::operator new(bytes);
  void* data = nullptr;
  require(cudaMalloc(&data, bytes));
  return data;
}

void release(Backend backend, void* data) {
  backend == Backend::cuda ? static_cast<void>(cudaFree(data)) : ::operator delete(data);
}

void copy(void* to, const void* from, std::size_t bytes) {
  require(cudaDeviceSynchronize());
  require(cudaMemcpy(to, from, bytes, cudaMemcpyDefault));
}
#else
void* allocate(Backend, std::size_t bytes) {
  return ::operator new(bytes);
}
void release(Backend, void* data) {
  ::operator delete(data);
}
void copy(void* to, const void* from, std::size_t bytes) {
  std::memcpy(to, from, bytes);
}
#endif

void copy(Backend backend, void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  backend == Backend::cuda ? copy(to, from, bytes)
                           : static_cast<void>(std::memcpy(to, from, bytes));
}

}  // namespace

std::vector<Target> all_targets() {
  using enum ScalarType;
  std::vector<Target> targets;
  for (const Backend backend : {Backend::reference, Backend::cpu}) {
    targets.push_back({backend, float64, float64});
    targets.push_back({backend, float32, float32});
  }
#ifdef LOWBIT_CUDA
  targets.push_back({Backend::cuda, float64, float64});
  for (const ScalarType y : {float32, float16, bfloat16})
    targets.push_back({Backend::cuda, float32, y});
  targets.push_back({Backend::cuda, float16, float16});
  targets.push_back({Backend::cuda, bfloat16, bfloat16});
#endif
  return targets;
}

std::string name(const Target& target) {
  const std::string backend = target.backend == Backend::reference ? "reference"
                              : target.backend == Backend::cpu     ? "cpu"
                                                                   : "cuda";
  return backend + "_" + name(target.x) + (target.x == target.y ? "" : "_" + name(target.y));
}

bool available([[maybe_unused]] const Target& target) {
#ifdef LOWBIT_CUDA
  int devices = 0;
  if (target.backend == Backend::cuda)
    return cudaGetDeviceCount(&devices) == cudaSuccess && devices > 0;
#endif
  return true;
}

double rounding(ScalarType type) {
  switch (type) {
    case ScalarType::float64:
      return std::ldexp(1, -53);
    case ScalarType::float32:
      return std::ldexp(1, -24);
    case ScalarType::float16:
      return std::ldexp(1, -11);
    case ScalarType::bfloat16:
      return std::ldexp(1, -8);
  }
  throw std::logic_error("no such type");
}

Array::Array(Backend backend, ScalarType type, const std::vector<double>& values)
    : backend_(backend), type_(type), size_(values.size()) {
  const std::vector<std::byte> bytes = encode(type, values);
  data_ = allocate(backend, std::max<std::size_t>(bytes.size(), 1));
  copy(backend, data_, bytes.data(), bytes.size());
}

Array::~Array() {
  release(backend_, data_);
}

std::vector<double> Array::values() const {
  std::vector<std::byte> bytes(size_ * bytes_of(type_));
  copy(backend_, bytes.data(), data_, bytes.size());
  return decode(type_, bytes);
}

Integers::Integers(Backend backend, const std::vector<std::int32_t>& values)
    : backend_(backend), size_(values.size()) {
  const std::size_t bytes = size_ * sizeof(std::int32_t);
  data_ = allocate(backend, std::max<std::size_t>(bytes, 1));
  copy(backend, data_, values.data(), bytes);
}

Integers::~Integers() {
  release(backend_, data_);
}

std::vector<std::int32_t> Integers::values() const {
  std::vector<std::int32_t> values(size_);
  copy(backend_, values.data(), data_, size_ * sizeof(std::int32_t));
  return values;
}

std::vector<double> rounded(ScalarType type, const std::vector<double>& values) {
  return decode(type, encode(type, values));
}

std::vector<double> random_values(std::size_t size, double low, double high, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<double> values(size);
  for (double& value : values) value = low + (high - low) * generator() / 4294967296.0;
  return values;
}

void* workspace(Backend backend) {
  if (backend != Backend::cuda) return nullptr;
  static const Array memory(backend, ScalarType::float64,
                            std::vector<double>(kWorkspaceBytes / sizeof(double)));
  return memory.data();
}

}  // namespace lowbit::kernels
