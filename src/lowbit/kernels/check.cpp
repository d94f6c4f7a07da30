#include "lowbit/kernels/check.h"

#include "lowbit/core/error.h"

namespace lowbit::kernels {
namespace {

std::string_view name(ScalarType type) {
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
  return "an unknown type";
}

bool supported(Backend backend, ScalarType x, ScalarType y) {
  if (x == y) return backend == Backend::cuda || x == compute_type(x);
  return backend == Backend::cuda && x == ScalarType::float32 && y != ScalarType::float64;
}

}  // namespace

void check_pointers(std::string_view op, std::initializer_list<NamedPointer> pointers) {
  for (const auto& pointer : pointers)
    if (pointer.data == nullptr) throw core::usage_error("{}: {} is null", op, pointer.name);
}

void check_arrays(std::string_view op, std::int64_t size,
                  std::initializer_list<NamedPointer> arrays) {
  if (size < 0) throw core::usage_error("{}: a size of {}", op, size);
  if (size > 0) check_pointers(op, arrays);
}

void check_types(std::string_view op, Backend backend, ScalarType x, ScalarType y) {
  if (!supported(backend, x, y))
    throw core::usage_error("{}: no {} kernel takes {} with {}", op,
                            backend == Backend::cuda ? "CUDA" : "CPU", name(x), name(y));
}

void check_same_type(std::string_view op, ScalarType x, ScalarType grad_x) {
  if (x != grad_x)
    throw core::usage_error("{}: a {} gradient of a {} array", op, name(grad_x), name(x));
}

void check_groups(std::string_view op, std::int64_t size, const Groups& groups) {
  if (groups.count < 1 || groups.run < (size > 0 ? 1 : 0))
    throw core::usage_error("{}: {} groups with runs of {} elements", op, groups.count, groups.run);
  if (size == 0) return;
  if (size % groups.run != 0 || size / groups.run % groups.count != 0)
    throw core::usage_error("{}: {} elements do not divide into {} groups with runs of {} elements",
                            op, size, groups.count, groups.run);
}

void check_full_vectors(std::string_view op, Backend backend, ScalarType type,
                        std::int64_t channels) {
  const bool cuda = backend == Backend::cuda;
  if (cuda ? type == ScalarType::float64 : type != compute_type(type))
    throw core::usage_error("{}: no {} kernel takes {}", op, cuda ? "CUDA" : "CPU", name(type));
  const std::int64_t width = channels_per_vector(type);
  if (cuda && channels % width != 0)
    throw core::usage_error("{}: {} channels of {} are not a multiple of {}", op, channels,
                            name(type), width);
}

void check_workspace(std::string_view op, Backend backend, const void* workspace) {
  if (backend == Backend::cuda) check_pointers(op, {{"workspace", workspace}});
}

}  // namespace lowbit::kernels
