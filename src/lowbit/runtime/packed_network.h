// The C interface as a class, for the program and for tests: errors are exceptions, memory is
// freed by itself.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lowbit/runtime/lowbit.h"

namespace lowbit::runtime {

class PackedNetwork {
 public:
  // As lowbit_open and lowbit_session_open: `kernels` "auto", "reference", "avx2", ...; threads 0:
  // as many as the process has cores. An Error (usage) if there is no such file or it cannot be
  // run.
  PackedNetwork(const std::string& path, const std::string& kernels, int threads);
  PackedNetwork(std::span<const uint8_t> file, const std::string& kernels, int threads);

  const lowbit_description& description() const { return description_; }
  const char* kernels() const { return description_.kernels; }
  const char* operation(int value) const { return describe(value).operation; }
  lowbit_value describe(int value) const;
  std::vector<std::string> class_names() const;  // empty where the file has none
  size_t session_bytes() const { return lowbit_session_bytes(session_.get()); }

  // images [count][height][width][channels]; logits [count][classes].
  void run(const uint8_t* images, int count, float* logits);
  // Of one image; as lowbit_run_visiting.
  using Visitor = std::function<void(int value, std::span<const uint8_t> bytes)>;
  void run_visiting(const uint8_t* image, const Visitor& visit);
  // Seconds of each group of steps at its last step.
  std::vector<double> run_timed(const uint8_t* image);

 private:
  struct Close {
    void operator()(lowbit_model* model) const { lowbit_close(model); }
    void operator()(lowbit_session* session) const { lowbit_session_close(session); }
  };

  void open_session(int threads);

  std::unique_ptr<lowbit_model, Close> model_;
  std::unique_ptr<lowbit_session, Close> session_;
  lowbit_description description_{};
  std::vector<float> logits_;
};

}  // namespace lowbit::runtime
