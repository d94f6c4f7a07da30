// The CUDA operators of a build without CUDA.
#ifndef LOWBIT_CUDA

#include "lowbit/core/error.h"
#include "lowbit/kernels/cuda/augment.h"
#include "lowbit/kernels/cuda/batch_norm.h"
#include "lowbit/kernels/cuda/dorefa.h"
#include "lowbit/kernels/cuda/lq.h"
#include "lowbit/kernels/cuda/lsq.h"
#include "lowbit/kernels/cuda/max_pool.h"
#include "lowbit/kernels/cuda/non_uniform.h"
#include "lowbit/kernels/cuda/normalize.h"
#include "lowbit/kernels/cuda/xnor.h"

namespace lowbit::kernels::cuda {
namespace {

[[noreturn]] void refuse(const char* op) {
  throw core::failure("{}: this build has no CUDA kernels", op);
}

}  // namespace

void lq_build_tables(const LqBuildTables&, Stream) {
  refuse("lq_build_tables");
}
void lq_forward(const LqForward&, Stream) {
  refuse("lq_forward");
}
void lq_learn(const LqLearn&, Stream) {
  refuse("lq_learn");
}
void lq_backward(const LqBackward&, Stream) {
  refuse("lq_backward");
}
void lsq_forward(const LsqForward&, Stream) {
  refuse("lsq_forward");
}
void lsq_backward(const LsqBackward&, Stream) {
  refuse("lsq_backward");
}
void lsq_count_inside(const LsqCountInside&, Stream) {
  refuse("lsq_count_inside");
}
void dorefa_weight_forward(const DorefaWeightForward&, Stream) {
  refuse("dorefa_weight_forward");
}
void dorefa_weight_backward(const DorefaWeightBackward&, Stream) {
  refuse("dorefa_weight_backward");
}
void assemble_batch(const AssembleBatch&, Stream) {
  refuse("assemble_batch");
}
void batch_norm_forward(const BatchNormForward&, Stream) {
  refuse("batch_norm_forward");
}
void batch_norm_backward(const BatchNormBackward&, Stream) {
  refuse("batch_norm_backward");
}
void max_pool_forward(const MaxPoolForward&, Stream) {
  refuse("max_pool_forward");
}
void max_pool_backward(const MaxPoolBackward&, Stream) {
  refuse("max_pool_backward");
}
void binary_weight_forward(const BinaryWeightForward&, Stream) {
  refuse("binary_weight_forward");
}
void non_uniform_forward(const NonUniformForward&, Stream) {
  refuse("non_uniform_forward");
}
void non_uniform_fit(const NonUniformFit&, Stream) {
  refuse("non_uniform_fit");
}
void non_uniform_fit_sums(const NonUniformFit&, Stream) {
  refuse("non_uniform_fit_sums");
}
void non_uniform_backward(const NonUniformBackward&, Stream) {
  refuse("non_uniform_backward");
}
void normalize_forward(const NormalizeForward&, Stream) {
  refuse("normalize_forward");
}
void normalize_backward(const NormalizeBackward&, Stream) {
  refuse("normalize_backward");
}
void restore_forward(const RestoreForward&, Stream) {
  refuse("restore_forward");
}
void restore_backward(const RestoreBackward&, Stream) {
  refuse("restore_backward");
}
void xnor_forward(const XnorForward&, Stream) {
  refuse("xnor_forward");
}
void xnor_backward(const XnorBackward&, Stream) {
  refuse("xnor_backward");
}

}  // namespace lowbit::kernels::cuda

#endif
