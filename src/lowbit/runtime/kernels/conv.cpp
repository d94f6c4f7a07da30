#include "lowbit/runtime/kernels/conv.h"

#include "lowbit/core/error.h"
#include "lowbit/runtime/kernels/code_units.h"
#include "lowbit/runtime/kernels/isa_tiles.h"
#include "lowbit/runtime/kernels/kernels.h"

namespace lowbit::runtime {
namespace {

#if defined(__x86_64__)

bool has_avx2() {
  return __builtin_cpu_supports("avx2");
}

bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni") &&
         __builtin_cpu_supports("avx512vbmi");
}

std::unique_ptr<ConvKernel> make_avx2(const ConvProblem& problem) {
  if (auto kernel = make_lookup(problem, lookup_avx2())) return kernel;
  if (auto kernel = make_dot8(problem, dot8_avx2(), true)) return kernel;
  return make_dot16(problem, dot16_avx2());
}

std::unique_ptr<ConvKernel> make_avx512(const ConvProblem& problem) {
  if (auto kernel = make_lookup(problem, lookup_avx512())) return kernel;
  return make_dot8(problem, dot8_avx512(), false);
}

#endif

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
  check(problem);
  if (!has_isa(isa))
    throw core::usage_error("this machine has no {}; it has {}", name_of(isa), name_of(best_isa()));
  if (isa == Isa::reference) return make_reference(problem);
  const bool depthwise = problem.groups == problem.in && problem.groups == problem.out;
  if (problem.groups > 1 && !depthwise) return make_grouped(problem, isa);
#if defined(__x86_64__)
  if (isa == Isa::avx2 || isa == Isa::avx512) {
    if (depthwise) return make_depthwise(problem, depthwise_avx2());
    return isa == Isa::avx2 ? make_avx2(problem) : make_avx512(problem);
  }
#endif
  return depthwise ? make_depthwise(problem, depthwise_portable())
                   : make_dot16(problem, dot16_portable());
}

}  // namespace lowbit::runtime
