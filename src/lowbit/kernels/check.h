// Guards that operators put before their back ends. `op` is the operator's name, for the message.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "lowbit/kernels/types.h"

namespace lowbit::kernels {

struct NamedPointer {
  std::string_view name;
  const void* data;
};

// Error (usage) naming the first null pointer.
void check_pointers(std::string_view op, std::initializer_list<NamedPointer> pointers);

// Arrays of `size` elements: size >= 0, and no null pointer unless size is 0.
void check_arrays(std::string_view op, std::int64_t size,
                  std::initializer_list<NamedPointer> arrays);

// The pair of types that the quantizers take: see lsq.h.
void check_types(std::string_view op, Backend backend, ScalarType x, ScalarType y);

// A gradient has the type of what it is the gradient of.
void check_same_type(std::string_view op, ScalarType x, ScalarType grad_x);

// Groups that tile an array of `size` elements.
void check_groups(std::string_view op, std::int64_t size, const Groups& groups);

// Channels-last features that cuda moves 16 bytes at a time: float32 or narrower there, float32 or
// float64 on the CPU.
void check_full_vectors(std::string_view op, Backend backend, ScalarType type,
                        std::int64_t channels);

// The workspace of an operator that needs one on cuda.
void check_workspace(std::string_view op, Backend backend, const void* workspace);

}  // namespace lowbit::kernels
