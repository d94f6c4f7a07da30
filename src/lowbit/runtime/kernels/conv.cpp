#include "lowbit/runtime/kernels/conv.h"

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include <algorithm>
#include <string_view>

#include "lowbit/core/error.h"
#include "lowbit/runtime/kernels/code_units.h"
#include "lowbit/runtime/kernels/isa_tiles.h"
#include "lowbit/runtime/kernels/kernels.h"

namespace lowbit::runtime {
namespace {

#if defined(__x86_64__)

bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni") &&
         __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vpopcntdq");
}

#elif defined(__aarch64__)

bool has_dot_products() {
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
}

#endif

using Made = std::unique_ptr<ConvKernel>;
using Way = Made (*)(const ConvProblem&);

// The ways that an instruction set has to do a problem of one group, the one measured fastest
// first: each makes a kernel or, where it cannot or others are known to be faster, none. The last
// can do any problem.
std::span<const Way> ways_of(Isa isa) {
  static constexpr Way portable[] = {
      [](const ConvProblem& p) { return make_popcount(p, popcount_portable(), 0); },
      [](const ConvProblem& p) { return make_dot16(p, dot16_portable()); }};
#if defined(__x86_64__)
  static constexpr Way avx2[] = {
      [](const ConvProblem& p) { return make_lookup(p, lookup_avx2()); },
      [](const ConvProblem& p) { return make_popcount(p, popcount_avx2(), 75); },
      [](const ConvProblem& p) { return make_dot8(p, dot8_avx2()); },
      [](const ConvProblem& p) { return make_dot16(p, dot16_avx2()); }};
  static constexpr Way avx512[] = {
      // Counting bits is about a tenth faster than looking up where all bits are in use.
      [](const ConvProblem& p) { return make_popcount(p, popcount_avx512(), 90); },
      [](const ConvProblem& p) { return make_lookup(p, lookup_avx512()); },
      [](const ConvProblem& p) { return make_lookup(p, lookup_short_avx512()); },
      [](const ConvProblem& p) { return make_popcount(p, popcount_avx512(), 0); },
      [](const ConvProblem& p) { return make_dot8(p, dot8_avx512()); }};
  if (isa == Isa::avx2) return avx2;
  if (isa == Isa::avx512) return avx512;
#elif defined(__aarch64__)
  // Not measured: by the products of an instruction of the inner loop, 37 where all bits are in
  // use, 32, 16, 16, 7 and 4.
  static constexpr Way neon[] = {
      [](const ConvProblem& p) { return make_popcount(p, popcount_neon(), 90); },
      [](const ConvProblem& p) { return make_lookup(p, lookup_one_bit_neon()); },
      [](const ConvProblem& p) {
        return has_dot_products() ? make_dot8(p, dot8_dotprod()) : nullptr;
      },
      [](const ConvProblem& p) { return make_lookup(p, lookup_neon()); },
      [](const ConvProblem& p) { return make_dot8(p, dot8_neon()); },
      [](const ConvProblem& p) { return make_dot16(p, dot16_neon()); }};
  if (isa == Isa::neon) return neon;
#endif
  return portable;
}

bool is_depthwise(const ConvProblem& problem) {
  return problem.groups > 1 && problem.groups == problem.in && problem.groups == problem.out;
}

const DepthwiseSet& depthwise_of(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::avx2 || isa == Isa::avx512) return depthwise_avx2();
#elif defined(__aarch64__)
  if (isa == Isa::neon) return depthwise_neon();
#endif
  return depthwise_portable();
}

}  // namespace

const char* name_of(Isa isa) {
  switch (isa) {
    case Isa::reference:
      return "reference";
    case Isa::portable:
      return "portable";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
    case Isa::neon:
      return "neon";
  }
  return "";
}

bool has_isa(Isa isa) {
  switch (isa) {
    case Isa::reference:
    case Isa::portable:
      return true;
#if defined(__x86_64__)
    case Isa::avx2:
      return has_avx2();
    case Isa::avx512:
      return has_avx512();
#elif defined(__aarch64__)
    case Isa::neon:
      return true;  // part of the architecture
#endif
    default:
      return false;
  }
}

Isa best_isa() {
  for (const Isa isa : {Isa::avx512, Isa::avx2, Isa::neon})
    if (has_isa(isa)) return isa;
  return Isa::portable;
}

std::unique_ptr<ConvKernel> make_conv_kernel(const ConvProblem& problem, Isa isa) {
  if (!has_isa(isa))
    throw core::usage_error("this machine has no {}; it has {}", name_of(isa), name_of(best_isa()));
  if (isa == Isa::reference) return make_reference(problem);
  if (is_depthwise(problem)) return make_depthwise(problem, depthwise_of(isa));
  if (problem.groups > 1) return make_grouped(problem, isa);
  for (const Way way : ways_of(isa))
    if (Made kernel = way(problem)) return kernel;
  return nullptr;  // never: the last way can do any
}

std::vector<std::unique_ptr<ConvKernel>> all_conv_kernels(const ConvProblem& problem, Isa isa) {
  std::vector<Made> kernels;
  kernels.push_back(make_conv_kernel(problem, isa));
  if (problem.groups > 1 || isa == Isa::reference) return kernels;
  for (const Way way : ways_of(isa)) {
    Made kernel = way(problem);
    const auto same = [&](const Made& other) {
      return std::string_view(other->name()) == kernel->name();
    };
    if (kernel && std::ranges::none_of(kernels, same)) kernels.push_back(std::move(kernel));
  }
  return kernels;
}

}  // namespace lowbit::runtime
