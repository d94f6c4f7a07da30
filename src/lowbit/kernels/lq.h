// LQ-Nets (https://arxiv.org/abs/1807.10029), in the form that math/lq.h states: the tables of
// levels and thresholds of a basis, the quantizer that uses them and, in training, learns the basis
// in the same pass over x, and the gradient of features (that of weights is the identity).
//
// Types, errors, overlap and size 0 are as in lsq.h. NaN in x gives NaN in y; infinities take the
// outermost levels. Neither reaches the basis: a group with one of them, or with a singular system,
// keeps its basis and sets LqLearning::unsolved.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lowbit/kernels/types.h"

namespace lowbit::kernels {

// The step function of every group, on the device of the quantizer.
struct LqTables {
  void* levels = nullptr;         // [groups, level_count] of the compute type, ascending
  void* thresholds = nullptr;     // [groups, level_count - 1] of the compute type, ascending
  std::int32_t* codes = nullptr;  // [groups, level_count]: the code of each level
};

struct LqBuildTables {
  const void* basis = nullptr;                // [bits, groups] of `type`
  const void* codec_vector = nullptr;         // [level_count, bits] of `type`
  const std::int32_t* codec_index = nullptr;  // [level_count]
  const void* thrs_multiplier = nullptr;      // [level_count - 1, level_count] of `type`
  ScalarType type = ScalarType::float32;      // float64 or float32
  int bits = 1;                               // 1 .. 8
  int level_count = 2;                        // 2 .. 256
  std::int64_t groups = 1;
  LqTables tables;  // overwritten
};
void lq_build_tables(Backend backend, const LqBuildTables& args, Stream stream = nullptr);

// How the basis is learned; arrays of compute_type(x.type).
struct LqLearning {
  int bits = 1;
  bool full_range = false;          // digits -1, 1 instead of 0, 1
  bool weights = false;             // the regularized system of weights instead of that of features
  void* basis = nullptr;            // [bits, groups.count], updated; null: nothing is learned
  void* auxil = nullptr;            // [bits, groups.count], the solution
  const void* iteration = nullptr;  // [1], for the running mean; null: the moving average
  float* unsolved = nullptr;        // [1], becomes 1 where a group kept its basis; else unchanged
  void* workspace = nullptr;        // cuda only: lq_workspace_bytes(bits), used as types.h says
  // [groups.count, lq_sum_numbers(bits)], overwritten with what the basis would have been learned
  // from; the basis stays. Where several processes share a batch, the sum of theirs goes to
  // lq_learn. Null: the pass learns from its own.
  double* sums = nullptr;
};

struct LqForward {
  Input x;                // [size]
  Output y;               // [size]
  std::int64_t size = 0;  // number of elements; a group has fewer than 2^32
  Groups groups;          // of x
  int level_count = 2;
  LqTables tables;  // as built from the basis; read
  LqLearning learning;
};
void lq_forward(Backend backend, const LqForward& args, Stream stream = nullptr);

// Learns the basis of every group from sums that forward passes gathered and that were added up:
// together fewer than 2^32 elements of a group.
struct LqLearn {
  ScalarType type = ScalarType::float32;  // of the basis: float64 or float32
  std::int64_t groups = 1;
  LqLearning learning;  // sums: read
};
void lq_learn(Backend backend, const LqLearn& args, Stream stream = nullptr);

struct LqBackward {
  Input x;                // [size], as in the forward pass
  Input grad_y;           // [size]
  Output grad_x;          // [size], of x.type
  std::int64_t size = 0;  // number of elements
  Groups groups;          // of x
  int level_count = 2;
  const void* levels = nullptr;  // LqTables::levels of the forward pass
};
void lq_backward(Backend backend, const LqBackward& args, Stream stream = nullptr);

std::size_t lq_workspace_bytes(int bits);
// How many numbers LqLearning::sums has for a group.
std::size_t lq_sum_numbers(int bits);

}  // namespace lowbit::kernels
