// Any bytes as a packed network, as they are and with the checksum that they need; one that can be
// run is, in plain loops and as planned.
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "lowbit/core/error.h"
#include "lowbit/runtime/container.h"
#include "lowbit/runtime/kernels/instruction_set.h"
#include "lowbit/runtime/session.h"

namespace {

using namespace lowbit::runtime;

constexpr Limits kSmall{.bytes = 1 << 24, .operations = 1 << 20};

void open_and_run(std::span<const uint8_t> bytes) {
  const AlignedBytes file(bytes.size());
  std::ranges::copy(bytes, reinterpret_cast<uint8_t*>(file.data()));
  try {
    const Network network(
        open_sealed({reinterpret_cast<const uint8_t*>(file.data()), bytes.size()}), kSmall);
    const std::vector<uint8_t> image(network.types().front().bytes(), 77);
    std::vector<float> logits(network.types().back().shape.count());
    for (const char* kernels : {"reference", "auto"}) {
      const Plan plan(network, instruction_set(kernels));
      Session(network, plan, 1).run(image.data(), logits.data());
    }
  } catch (const lowbit::core::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const uint8_t> bytes(data, size);
  open_and_run(bytes);
  if (size > kTrailerBytes) open_and_run(seal(bytes.first(size - kTrailerBytes)));
  return 0;
}
