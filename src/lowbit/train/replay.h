// A sequence of tensor operations that is run many times: as it is, or captured once as a CUDA
// graph.
#pragma once

#include <torch/types.h>

#include <functional>
#include <memory>
#include <vector>

namespace lowbit::train {

// The body must be static: fixed addresses, no host value that changes, no host synchronization. It
// then means the same launched operation by operation and replayed.
class Replay {
 public:
  // `state`: every tensor that the body changes and a later run reads. Capturing needs warm-up
  // runs, whose traces are taken back there, so that a captured body gives the run that an
  // uncaptured one gives. rewind: takes back what is not in `state`, after each warm-up run, so
  // that none goes on where the one before ended (behind the end of the data, at the last batch).
  Replay(std::function<void()> body, bool capture, std::vector<torch::Tensor> state,
         std::function<void()> rewind);
  ~Replay();

  // Enqueues the body on the current stream; the first call captures it.
  void run();

 private:
  void warm_up_and_capture();

  std::function<void()> body_;
  bool capture_;
  std::vector<torch::Tensor> state_;
  std::function<void()> rewind_;
  struct Graph;
  std::unique_ptr<Graph> graph_;
};

}  // namespace lowbit::train
