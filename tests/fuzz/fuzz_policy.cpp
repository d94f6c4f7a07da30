// Any bytes as a policy file, on to the quantizers that its changes make.
#include <cstdint>
#include <string_view>

#include "lowbit/config/policy.h"
#include "lowbit/core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lowbit::config;
  try {
    const Policy policy = parse_policy({reinterpret_cast<const char*>(data), size}, "policy.fuzz");
    for (const PolicySection& section : policy.sections)
      for (const PolicyBlock& block : section.blocks)
        for (const Tag tag : {Tag::fm, Tag::wt, Tag::ot}) try {
            changed({}, tag, block.changes);
          } catch (const lowbit::core::Error&) {
          }
  } catch (const lowbit::core::Error&) {
  }
  return 0;
}
