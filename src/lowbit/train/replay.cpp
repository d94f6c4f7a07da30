#include "lowbit/train/replay.h"

#ifdef LOWBIT_CUDA
#include <ATen/cuda/CUDAGraph.h>
#endif

namespace lowbit::train {

#ifdef LOWBIT_CUDA
struct Replay::Graph {
  at::cuda::CUDAGraph graph;
};

// Warm-up lets cuDNN choose its algorithms and the libraries allocate what they keep.
constexpr int warm_up_runs = 3;

void Replay::warm_up_and_capture() {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> saved;
  for (const torch::Tensor& tensor : state_) saved.push_back(tensor.clone());
  {
    const torch::AutoGradMode grad(true);
    for (int i = 0; i < warm_up_runs; ++i) {
      body_();
      rewind_();
    }
  }
  for (size_t i = 0; i < state_.size(); ++i) state_[i].copy_(saved[i]);

  graph_ = std::make_unique<Graph>();
  const torch::AutoGradMode grad(true);
  // Other threads may pin memory meanwhile.
  graph_->graph.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
  body_();
  graph_->graph.capture_end();
}

void Replay::run() {
  if (!capture_) return body_();
  if (!graph_) warm_up_and_capture();
  graph_->graph.replay();
}
#else
struct Replay::Graph {};

void Replay::run() {
  body_();
}
#endif

Replay::Replay(std::function<void()> body, bool capture, std::vector<torch::Tensor> state,
               std::function<void()> rewind)
    : body_(std::move(body)),
      capture_(capture),
      state_(std::move(state)),
      rewind_(std::move(rewind)) {}

Replay::~Replay() = default;

}  // namespace lowbit::train
