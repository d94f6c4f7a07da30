#include "lowbit/runtime/kernels/conv.h"

#include <algorithm>
#include <string_view>

#include "lowbit/runtime/kernels/instruction_set.h"
#include "lowbit/runtime/kernels/kernels.h"

namespace lowbit::runtime {
namespace {

bool is_depthwise(const ConvProblem& problem) {
  return problem.groups > 1 && problem.groups == problem.in && problem.groups == problem.out;
}

}  // namespace

std::unique_ptr<ConvKernel> make_conv_kernel(const ConvProblem& problem,
                                             const InstructionSet& isa) {
  if (isa.is_reference()) return make_reference(problem);
  if (is_depthwise(problem)) return make_depthwise(problem, *isa.depthwise);
  if (problem.groups > 1) return make_grouped(problem, isa);
  for (const ConvKernelMaker make : isa.conv_kernels)
    if (std::unique_ptr<ConvKernel> kernel = make(problem)) return kernel;
  return nullptr;  // never: the last one can do any
}

std::vector<std::unique_ptr<ConvKernel>> all_conv_kernels(const ConvProblem& problem,
                                                          const InstructionSet& isa) {
  std::vector<std::unique_ptr<ConvKernel>> kernels;
  kernels.push_back(make_conv_kernel(problem, isa));
  if (problem.groups > 1) return kernels;
  for (const ConvKernelMaker make : isa.conv_kernels) {
    std::unique_ptr<ConvKernel> kernel = make(problem);
    const auto same = [&](const std::unique_ptr<ConvKernel>& other) {
      return std::string_view(other->name()) == kernel->name();
    };
    if (kernel && std::ranges::none_of(kernels, same)) kernels.push_back(std::move(kernel));
  }
  return kernels;
}

}  // namespace lowbit::runtime
