// What a caller may watch of a run, and what comes out of it.
#pragma once

#include <cstdint>
#include <optional>

namespace lowbit::run {

struct Accuracy {
  double loss = 0;            // mean cross-entropy
  double top1 = 0, top5 = 0;  // per cent
  int64_t samples = 0;
};

struct Progress {
  bool training = true;  // or validation
  int epoch = 0;         // from 0
  int epochs = 0;
  int64_t samples = 0;  // of this pass that are done
  int64_t total = 0;    // of this pass
  double images_per_second = 0;
  double loss = 0;  // mean so far
};

// Called often, from the thread that trains: must be cheap.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_progress(const Progress& progress) = 0;
  // The pass over the data that on_progress told of is over.
  virtual void on_pass_end() = 0;
};

struct RunResult {
  // Of the loaded weights without quantization; only where both were asked for.
  std::optional<Accuracy> full_precision_start;
  std::optional<Accuracy> last;  // none without validation
  double best_top1 = 0;          // per cent
  int best_epoch = 0;            // from 0
  double images_per_second = 0;  // of training, median over the epochs
  int interrupted = 0;           // the signal that stopped the run, 0 if it went to its end
};

}  // namespace lowbit::run
