// Watching quantizers at work, for statistics.
#pragma once

#include <torch/types.h>

#include <functional>

namespace lowbit::quant {

class Quantizer;

// For the life of the object: `see` is called with every quantizer whose forward() this thread
// enters and what it is given, before anything changes. One at a time in a thread. Not for captured
// passes, which would call it only once.
class ProbeScope {
 public:
  using See = std::function<void(const Quantizer&, const torch::Tensor&)>;

  explicit ProbeScope(See see);
  ~ProbeScope();
  ProbeScope(const ProbeScope&) = delete;
  ProbeScope& operator=(const ProbeScope&) = delete;

  // Whether this thread has one.
  static bool is_open();
  // What forward() calls.
  static void notify(const Quantizer& quantizer, const torch::Tensor& x);

 private:
  See see_;
};

}  // namespace lowbit::quant
