// A run allocates nothing: every allocation of this program is counted.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "programs.h"

// GCC sees through the two and takes malloc and delete for a mismatch.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

namespace {
std::atomic<int> allocations = 0;
}

void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* memory = std::malloc(bytes ? bytes : 1)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace lowbit::runtime {
namespace {

TEST(Session, AllocatesNothingOnceItIsOpen) {
  for (uint32_t seed = 0; seed < 10; ++seed) {
    const Program program = random_program(seed, 30);
    const Program::File file = program.file();
    const Network network(open_sealed(file.span()));
    const std::vector<uint8_t> image(network.types().front().bytes(), 5);
    std::vector<float> logits(network.types().back().shape.count());
    for (const char* kernels : {"reference", "auto"}) {
      const Plan plan(network, instruction_set(kernels));
      const int before_opening = allocations;
      Session session(network, plan, 2);
      EXPECT_GT(allocations, before_opening) << "they are not counted";
      const int before = allocations;
      session.run(image.data(), logits.data());
      EXPECT_EQ(allocations, before) << "seed " << seed << ", " << kernels;
    }
  }
}

}  // namespace
}  // namespace lowbit::runtime
