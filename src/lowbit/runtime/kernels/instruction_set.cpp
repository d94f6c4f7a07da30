#include "lowbit/runtime/kernels/instruction_set.h"

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include <string>
#include <vector>

#include "lowbit/core/error.h"
#include "lowbit/runtime/kernels/kernels.h"
#include "lowbit/runtime/kernels/portable.h"
#if defined(__x86_64__)
#include "lowbit/runtime/kernels/avx2.h"
#include "lowbit/runtime/kernels/avx512.h"
#elif defined(__aarch64__)
#include "lowbit/runtime/kernels/neon.h"
#endif

namespace lowbit::runtime {
namespace {

using Kernel = std::unique_ptr<ConvKernel>;

template <const LookupSet& set>
Kernel lookup(const ConvProblem& problem) {
  return make_lookup(problem, set);
}
template <const PopcountSet& set, int least_used>
Kernel popcount(const ConvProblem& problem) {
  return make_popcount(problem, set, least_used);
}
template <const DotSet& set>
Kernel dot8(const ConvProblem& problem) {
  return make_dot8(problem, set);
}
template <const TileSet& set>
Kernel dot16(const ConvProblem& problem) {
  return make_dot16(problem, set);
}

bool always() {
  return true;
}

constexpr ConvKernelMaker kReferenceKernels[] = {make_reference};
constexpr ConvKernelMaker kPortableKernels[] = {popcount<portable::kPopcount, 0>,
                                                dot16<portable::kDot16>};

#if defined(__x86_64__)

bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

constexpr ConvKernelMaker kAvx2Kernels[] = {lookup<avx2::kLookup>, popcount<avx2::kPopcount, 75>,
                                            dot8<avx2::kDot8>, dot16<avx2::kDot16>};

// With BW, VL, VNNI, VBMI and VPOPCNTDQ.
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni") &&
         __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vpopcntdq");
}

// Counting bits is about a tenth faster than looking up where all bits are in use.
constexpr ConvKernelMaker kAvx512Kernels[] = {popcount<avx512::kPopcount, 90>,
                                              lookup<avx512::kLookup>, lookup<avx512::kLookupShort>,
                                              popcount<avx512::kPopcount, 0>, dot8<avx512::kDot8>};

#elif defined(__aarch64__)

Kernel dot_products(const ConvProblem& problem) {
  const bool available = (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
  return available ? make_dot8(problem, neon::kDot8DotProducts) : nullptr;
}

// Not measured: by the products of an instruction of the inner loop, 37 where all bits are in use,
// 32, 16, 16, 7 and 4.
constexpr ConvKernelMaker kNeonKernels[] = {
    popcount<neon::kPopcount, 90>, lookup<neon::kLookupOneBit>, dot_products,
    lookup<neon::kLookup>,         dot8<neon::kDot8>,           dot16<neon::kDot16>};

#endif

constexpr InstructionSet kInstructionSets[] = {
    {"reference", always, kReferenceKernels, nullptr, nullptr},
    {"portable", always, kPortableKernels, &portable::kDepthwise, &portable::kFunctions},
#if defined(__x86_64__)
    {"avx2", has_avx2, kAvx2Kernels, &avx2::kDepthwise, &avx2::kFunctions},
    {"avx512", has_avx512, kAvx512Kernels, &avx2::kDepthwise, &avx512::kFunctions},
#elif defined(__aarch64__)
    // Part of the architecture, so that the portable functions use it, too.
    {"neon", always, kNeonKernels, &neon::kDepthwise, &portable::kFunctions},
#endif
};

}  // namespace

std::span<const InstructionSet> instruction_sets() {
  return kInstructionSets;
}

const InstructionSet& instruction_set(std::string_view name) {
  std::vector<std::string> names{"auto"};
  const InstructionSet *named = nullptr, *fastest = nullptr;
  for (const InstructionSet& isa : kInstructionSets) {
    if (name == isa.name) named = &isa;
    if (!isa.is_available()) continue;
    fastest = &isa;
    names.emplace_back(isa.name);
  }
  if (name == "auto") return *fastest;
  if (named && named->is_available()) return *named;
  std::string list;
  for (const std::string& available : names) list += (list.empty() ? "" : ", ") + available;
  if (named) throw core::usage_error("this machine has no '{}'; it has {}", name, list);
  throw core::usage_error("there are no kernels '{}'; this machine has {}", name, list)
      .suggest(core::nearest_name(name, names));
}

}  // namespace lowbit::runtime
