#include "lowbit/kernels/lq.h"

#include <limits>

#include "lowbit/core/error.h"
#include "lowbit/kernels/check.h"
#include "lowbit/kernels/cpu/lq.h"
#include "lowbit/kernels/cuda/lq.h"
#include "lowbit/kernels/dispatch.h"
#include "lowbit/kernels/host_lq.h"
#include "lowbit/kernels/reference/lq.h"
#include "lowbit/kernels/visit_lq.h"

namespace lowbit::kernels {
namespace {

void check_bits(std::string_view op, int bits) {
  if (bits < 1 || bits > kLqMaxBits)
    throw core::usage_error("{}: {} bits, not 1 to {}", op, bits, kLqMaxBits);
}

void check_level_count(std::string_view op, int level_count) {
  if (level_count < 2 || level_count > kLqMaxLevels)
    throw core::usage_error("{}: {} levels, not 2 to {}", op, level_count, kLqMaxLevels);
}

void check_tables(std::string_view op, const LqTables& tables) {
  check_pointers(
      op, {{"levels", tables.levels}, {"thresholds", tables.thresholds}, {"codes", tables.codes}});
}

void check_system(std::string_view op, const LqLearning& learning) {
  check_bits(op, learning.bits);
  check_pointers(op, {{"auxil", learning.auxil}, {"unsolved", learning.unsolved}});
}

void check_learning(std::string_view op, Backend backend, const LqForward& args) {
  const LqLearning& learning = args.learning;
  check_system(op, learning);
  check_workspace(op, backend, learning.workspace);
  if (args.size / args.groups.count > std::numeric_limits<std::uint32_t>::max())
    throw core::usage_error("{}: a group of {} elements, too many to count", op,
                            args.size / args.groups.count);
}

}  // namespace

void lq_build_tables(Backend backend, const LqBuildTables& args, Stream stream) {
  constexpr std::string_view op = "lq_build_tables";
  check_bits(op, args.bits);
  check_level_count(op, args.level_count);
  check_pointers(op, {{"basis", args.basis},
                      {"codec_vector", args.codec_vector},
                      {"codec_index", args.codec_index},
                      {"thrs_multiplier", args.thrs_multiplier}});
  check_tables(op, args.tables);
  check_types(op, Backend::reference, args.type, args.type);
  if (args.groups < 1) throw core::usage_error("{}: {} groups", op, args.groups);
  dispatch(backend, args, stream, reference::lq_build_tables, cpu::lq_build_tables,
           cuda::lq_build_tables);
}

void lq_forward(Backend backend, const LqForward& args, Stream stream) {
  constexpr std::string_view op = "lq_forward";
  check_arrays(op, args.size, {{"x", args.x.data}, {"y", args.y.data}});
  check_level_count(op, args.level_count);
  check_tables(op, args.tables);
  check_types(op, backend, args.x.type, args.y.type);
  check_groups(op, args.size, args.groups);
  if (args.learning.basis != nullptr) check_learning(op, backend, args);
  if (args.size == 0) return;
  dispatch(backend, args, stream, reference::lq_forward, cpu::lq_forward, cuda::lq_forward);
}

void lq_learn(Backend backend, const LqLearn& args, Stream stream) {
  constexpr std::string_view op = "lq_learn";
  check_system(op, args.learning);
  check_pointers(op, {{"basis", args.learning.basis}, {"sums", args.learning.sums}});
  check_types(op, Backend::reference, args.type, args.type);
  if (args.groups < 1) throw core::usage_error("{}: {} groups", op, args.groups);
  dispatch(backend, args, stream, learn_lq, learn_lq, cuda::lq_learn);
}

void lq_backward(Backend backend, const LqBackward& args, Stream stream) {
  constexpr std::string_view op = "lq_backward";
  check_arrays(op, args.size,
               {{"x", args.x.data}, {"grad_y", args.grad_y.data}, {"grad_x", args.grad_x.data}});
  check_level_count(op, args.level_count);
  check_pointers(op, {{"levels", args.levels}});
  check_types(op, backend, args.x.type, args.grad_y.type);
  check_same_type(op, args.x.type, args.grad_x.type);
  check_groups(op, args.size, args.groups);
  if (args.size == 0) return;
  dispatch(backend, args, stream, reference::lq_backward, cpu::lq_backward, cuda::lq_backward);
}

std::size_t lq_workspace_bytes(int bits) {
  check_bits("lq_workspace_bytes", bits);
  std::size_t bytes = 0;
  visit_lq_digits(bits, [&]<int digits>(std::integral_constant<int, digits>) {
    bytes = workspace_bytes(sizeof(LqStatistics<digits>));
  });
  return bytes;
}

std::size_t lq_sum_numbers(int bits) {
  check_bits("lq_sum_numbers", bits);
  std::size_t numbers = 0;
  visit_lq_digits(bits, [&]<int digits>(std::integral_constant<int, digits>) {
    numbers = lq_sum_count(digits);
  });
  return numbers;
}

}  // namespace lowbit::kernels
