// Quantizers under graph capture: no allocation, no wait, and workspaces that a replay finds clean.
#ifdef LOWBIT_CUDA

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <functional>

#include "arrays.h"
#include "lowbit/kernels/dorefa.h"
#include "lowbit/kernels/formula.h"
#include "lowbit/kernels/lq.h"
#include "lowbit/kernels/lsq.h"
#include "lowbit/kernels/math/pact.h"
#include "lowbit/kernels/non_uniform.h"
#include "lowbit/kernels/xnor.h"

namespace lowbit::kernels {
namespace {

constexpr Target kTarget{Backend::cuda, ScalarType::float32, ScalarType::float16};
constexpr std::int64_t kSize = 300000;

// Runs `enqueue` captured once and replayed three times.
void replay(const std::function<void(Stream)>& enqueue) {
  cudaStream_t stream;
  cudaGraph_t graph;
  cudaGraphExec_t program;
  ASSERT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal), cudaSuccess);
  enqueue(stream);
  ASSERT_EQ(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  ASSERT_EQ(cudaGraphInstantiate(&program, graph, 0), cudaSuccess);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(cudaGraphLaunch(program, stream), cudaSuccess);
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  cudaGraphExecDestroy(program);
  cudaGraphDestroy(graph);
  cudaStreamDestroy(stream);
}

class CudaGraph : public testing::Test {
 protected:
  void SetUp() override {
    if (!available(kTarget)) GTEST_SKIP() << "no GPU on this machine";
  }
};

TEST_F(CudaGraph, LsqBackwardWithSteScaleReplaysToTheSameGradients) {
  const Array x(kTarget.backend, kTarget.x, random_values(kSize, -9, 9, 1));
  const Array grad_y(kTarget.backend, kTarget.y, random_values(kSize, -1, 1, 2));
  const Array grad_x(kTarget.backend, kTarget.x, std::vector<double>(kSize));
  const Array grad_clip(kTarget.backend, kTarget.compute(), {0, 0, 0});
  const Array clip_val(kTarget.backend, kTarget.compute(), {1, 0.5, 2});
  const Array level_num(kTarget.backend, kTarget.compute(), {4});
  const LsqBackward args{.x = x.input(),
                         .grad_y = grad_y.input(),
                         .grad_x = grad_x.output(),
                         .grad_clip = grad_clip.data(),
                         .size = kSize,
                         .groups = {kSize / 3, 3},
                         .clip_val = clip_val.data(),
                         .level_num = level_num.data(),
                         .range = LsqRange::full,
                         .ste_scale = true,
                         .workspace = workspace(kTarget.backend)};
  lsq_backward(kTarget.backend, args);
  const auto clip_gradient = grad_clip.values(), x_gradient = grad_x.values();
  replay([&](Stream stream) { lsq_backward(kTarget.backend, args, stream); });
  EXPECT_EQ(grad_clip.values(), clip_gradient);
  EXPECT_EQ(grad_x.values(), x_gradient);
}

TEST_F(CudaGraph, AReplayReadsTheLevelCountOfThatMoment) {
  const Array x(kTarget.backend, kTarget.x, {0.4, 0.6});
  const Array y(kTarget.backend, kTarget.y, {0, 0});
  const Array clip_val(kTarget.backend, kTarget.compute(), {1});
  const Array level_num(kTarget.backend, kTarget.compute(), {2});
  replay([&](Stream stream) {
    lsq_forward(kTarget.backend,
                {.x = x.input(),
                 .y = y.output(),
                 .size = 2,
                 .groups = {2, 1},
                 .clip_val = clip_val.data(),
                 .level_num = level_num.data()},
                stream);
    static const float three = 3;  // read by every replay
    cudaMemcpyAsync(level_num.data(), &three, sizeof three, cudaMemcpyHostToDevice,
                    static_cast<cudaStream_t>(stream));
  });
  EXPECT_EQ(y.values(), (std::vector<double>{0.5, 0.5}));
}

TEST_F(CudaGraph, DorefaWeightGradientReplaysToTheSameBits) {
  const Array x(kTarget.backend, kTarget.x, random_values(kSize, -2, 2, 3));
  const Array grad_y(kTarget.backend, kTarget.y, random_values(kSize, -1, 1, 4));
  const Array grad_x(kTarget.backend, kTarget.x, std::vector<double>(kSize));
  const DorefaWeightBackward args{.x = x.input(),
                                  .grad_y = grad_y.input(),
                                  .grad_x = grad_x.output(),
                                  .size = kSize,
                                  .workspace = workspace(kTarget.backend)};
  dorefa_weight_backward(kTarget.backend, args);
  const auto gradient = grad_x.values();
  replay([&](Stream stream) { dorefa_weight_backward(kTarget.backend, args, stream); });
  EXPECT_EQ(grad_x.values(), gradient);
}

TEST_F(CudaGraph, PactGradientReplaysToTheSameBits) {
  const Array x(kTarget.backend, kTarget.x, random_values(kSize, -1, 2, 5));
  const Array grad_y(kTarget.backend, kTarget.y, random_values(kSize, -1, 1, 6));
  const Array grad_x(kTarget.backend, kTarget.x, std::vector<double>(kSize));
  const Array clip_val(kTarget.backend, kTarget.compute(), {0.7});
  const Array grad_clip(kTarget.backend, kTarget.compute(), {0});
  const Array levels(kTarget.backend, kTarget.compute(), {4});
  const FormulaBackward args{.x = x.input(),
                             .grad_y = grad_y.input(),
                             .grad_x = grad_x.output(),
                             .grad_clip = grad_clip.data(),
                             .size = kSize,
                             .groups = {kSize, 1},
                             .arguments = {.clip_val = clip_val.data(), .level_num = levels.data()},
                             .workspace = workspace(kTarget.backend)};
  const FormulaKernels pact = formula_kernels<Pact>();
  pact.backward(kTarget.backend, args, nullptr);
  const auto gradient = grad_clip.values();
  replay([&](Stream stream) { pact.backward(kTarget.backend, args, stream); });
  EXPECT_EQ(grad_clip.values(), gradient);
}

// The fit writes the factor, the quantizer behind it on the stream reads it.
TEST_F(CudaGraph, AFitReplaysToTheSameFactorOfTheValuesBehindIt) {
  const Array x(kTarget.backend, kTarget.x, random_values(kSize, -1, 4, 7));
  const Array y(kTarget.backend, kTarget.y, std::vector<double>(kSize));
  const Array alpha(kTarget.backend, kTarget.compute(), {1, 1.5, 0.75});
  const Array level_num(kTarget.backend, kTarget.compute(), {3});
  const Array basis(kTarget.backend, kTarget.compute(), {0});
  const Array auxil(kTarget.backend, kTarget.compute(), {0});
  const Array iteration(kTarget.backend, kTarget.compute(), {2});
  const NonUniformSteps steps{
      .alpha = {alpha.data(), alpha.data()}, .count = 2, .level_num = level_num.data()};
  const Groups groups{kSize / 3, 3};
  const auto enqueue = [&](Stream stream) {
    non_uniform_fit(kTarget.backend,
                    {.x = x.input(),
                     .size = kSize,
                     .groups = groups,
                     .steps = steps,
                     .basis = basis.data(),
                     .auxil = auxil.data(),
                     .iteration = iteration.data(),
                     .workspace = workspace(kTarget.backend)},
                    stream);
    non_uniform_forward(kTarget.backend,
                        {.x = x.input(),
                         .y = y.output(),
                         .size = kSize,
                         .groups = groups,
                         .steps = steps,
                         .basis = basis.data()},
                        stream);
  };
  enqueue(nullptr);
  const auto values = y.values(), factor = basis.values();
  replay(enqueue);
  EXPECT_EQ(basis.values(), factor);
  EXPECT_EQ(y.values(), values);
}

// b = 1, half range: the solution is the mean of x above the threshold, here of all but the zeros.
TEST_F(CudaGraph, LqLearnsOnInEveryReplay) {
  std::vector<double> numbers(kSize, 4);
  for (std::int64_t i = 0; i < kSize; i += 3) numbers[i] = 0;
  const Array x(kTarget.backend, kTarget.x, numbers);
  const Array y(kTarget.backend, kTarget.y, std::vector<double>(kSize));
  const Array basis(kTarget.backend, kTarget.compute(), {1});
  const Array auxil(kTarget.backend, kTarget.compute(), {0});
  const Array codec_vector(kTarget.backend, kTarget.compute(), {0, 1});
  const Array multiplier(kTarget.backend, kTarget.compute(), {0.5, 0.5});
  const Array levels(kTarget.backend, kTarget.compute(), {0, 0});
  const Array threshold(kTarget.backend, kTarget.compute(), {0});
  const Array unsolved(kTarget.backend, kTarget.compute(), {0});
  const Array memory(kTarget.backend, kTarget.compute(),
                     std::vector<double>(lq_workspace_bytes(1) / sizeof(float)));
  const Integers index(kTarget.backend, {0, 1}), codes(kTarget.backend, {0, 0});
  const LqTables tables{levels.data(), threshold.data(), codes.data()};
  replay([&](Stream stream) {
    lq_build_tables(kTarget.backend,
                    {.basis = basis.data(),
                     .codec_vector = codec_vector.data(),
                     .codec_index = index.data(),
                     .thrs_multiplier = multiplier.data(),
                     .tables = tables},
                    stream);
    lq_forward(kTarget.backend,
               {.x = x.input(),
                .y = y.output(),
                .size = kSize,
                .groups = {kSize, 1},
                .tables = tables,
                .learning = {.basis = basis.data(),
                             .auxil = auxil.data(),
                             .unsolved = static_cast<float*>(unsolved.data()),
                             .workspace = memory.data()}},
               stream);
  });
  // 1, 1.3, 1.57, 1.813; the third replay quantized with the third of them.
  EXPECT_NEAR(basis.values()[0], 1.813, 1e-5);
  EXPECT_EQ(auxil.values()[0], 4);
  EXPECT_NEAR(y.values()[1], 1.57, 1e-3);
  EXPECT_EQ(y.values()[0], 0);
  EXPECT_EQ(unsolved.values()[0], 0);
}

TEST_F(CudaGraph, XnorOverLongRowsReplaysToTheSameBits) {
  const Array x(kTarget.backend, kTarget.x, random_values(kSize, -2, 2, 5));
  const Array y(kTarget.backend, kTarget.y, std::vector<double>(kSize));
  const Array grad_y(kTarget.backend, kTarget.y, random_values(kSize, -1, 1, 6));
  const Array grad_x(kTarget.backend, kTarget.x, std::vector<double>(kSize));
  const Array gamma(kTarget.backend, kTarget.compute(), {1, 0.5, 2});
  const Array grad_gamma(kTarget.backend, kTarget.compute(), {0, 0, 0});
  const auto enqueue = [&](Stream stream) {
    xnor_forward(kTarget.backend,
                 {.x = x.input(),
                  .y = y.output(),
                  .size = kSize,
                  .means = {kSize / 3, 1},
                  .gamma = gamma.data(),
                  .workspace = workspace(kTarget.backend)},
                 stream);
    xnor_backward(kTarget.backend,
                  {.x = x.input(),
                   .grad_y = grad_y.input(),
                   .grad_x = grad_x.output(),
                   .size = kSize,
                   .means = {kSize / 3, 1},
                   .mask = XnorMask::ste,
                   .gamma = gamma.data(),
                   .grad_gamma = grad_gamma.data(),
                   .workspace = workspace(kTarget.backend)},
                  stream);
  };
  enqueue(nullptr);
  const auto value = y.values(), gradient = grad_x.values(), gamma_gradient = grad_gamma.values();
  replay(enqueue);
  EXPECT_EQ(y.values(), value);
  EXPECT_EQ(grad_x.values(), gradient);
  EXPECT_EQ(grad_gamma.values(), gamma_gradient);
}

}  // namespace
}  // namespace lowbit::kernels

#endif
