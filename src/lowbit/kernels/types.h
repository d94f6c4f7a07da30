// What every kernel's interface is made of: typed pointers, groups, back ends.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lowbit::kernels {

enum class ScalarType : std::uint8_t { float64, float32, float16, bfloat16 };

// Where and how an operator runs. `reference` (the plainest loop, one thread) and `cpu` (threads,
// vector instructions) take host pointers, `cuda` takes pointers of the current device.
enum class Backend : std::uint8_t { reference, cpu, cuda };

// The cudaStream_t that a CUDA kernel is enqueued on (nullptr: the default stream). CUDA operators
// neither wait nor allocate, so a stream under graph capture is welcome. The other back ends ignore
// it and are done on return.
using Stream = void*;

// A dense array of `type`, in memory order.
struct Input {
  const void* data = nullptr;
  ScalarType type = ScalarType::float32;
};
struct Output {
  void* data = nullptr;
  ScalarType type = ScalarType::float32;
};

// Which group an element belongs to, by its place i in memory: (i / run) % count. `run` is the
// number of neighbors in memory that share a group; run * count divides the size of the array.
//   one group for all               run = size            count = 1
//   weights [O, I, k, k], g groups  run = size / g        count = g
//   features [N, C, H, W]           run = C / g * H * W   count = g
//   features, channels-last         run = C / g           count = g
struct Groups {
  std::int64_t run = 1;
  std::int64_t count = 1;

  constexpr std::int64_t of(std::int64_t i) const { return i / run % count; }
};

// The workspace of a CUDA operator that reduces over an array: device memory of this size, aligned
// to 16 bytes, filled with zeros once after it was allocated. Any later call on the same stream may
// use it again, two calls at once may not. The other back ends use none.
inline constexpr std::size_t kWorkspaceBytes = 1 << 15;

// The same where the summands of the reduction have `part_bytes` bytes, if those are more than 24.
constexpr std::size_t workspace_bytes(std::size_t part_bytes) {
  return 1024 * (part_bytes + 8);
}

// Numbers that CUDA moves at once, 16 bytes.
constexpr std::int64_t channels_per_vector(ScalarType type) {
  return type == ScalarType::float64 ? 2 : type == ScalarType::float32 ? 4 : 8;
}

// What operators compute in: float64 for float64 arrays, float32 for all others. Parameters (clip
// values, level counts) and their gradients are arrays of this type.
constexpr ScalarType compute_type(ScalarType type) {
  return type == ScalarType::float64 ? ScalarType::float64 : ScalarType::float32;
}

}  // namespace lowbit::kernels
