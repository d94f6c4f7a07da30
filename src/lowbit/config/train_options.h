// What the options of training, saving and logging say.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lowbit::config {

enum class LrPolicy { decay, fix, fix_step, custom_step, poly, cos, sgdr, sgdr_step };
enum class Device { automatic, cpu, cuda };
enum class Precision { fp64, fp32, fp16, bf16 };
// How a step runs on a GPU: captured once as a CUDA graph, or launched operation by operation.
enum class StepMode { automatic, graph, eager };

struct TrainOptions {
  int epochs = 40;
  double lr = 1e-2;
  LrPolicy lr_policy = LrPolicy::decay;
  double lr_decay = 0.98;
  double eta_min = 0;
  int lr_fix_step = 30;                            // epochs
  std::vector<int> lr_custom_step = {20, 30, 40};  // epochs
  double momentum = 0.9;
  bool nesterov = false;
  double weight_decay = 1e-4;
  bool decay_small = false;  // weight decay also for vectors and depth-wise weights
  std::vector<std::string> custom_decay_list;  // parts of parameter names
  double custom_decay = 0.02;
  uint64_t seed = 2;

  bool evaluate = false;
  std::string pretrained;  // file under weights_dir/<model>/, or a path
  bool resume = false;
  std::string resume_file = "checkpoint.pth.tar";
  std::string weights_dir = "./weights";
  std::string log_dir = "./exp";
  std::string case_name = "fake";  // --case: names the files of a run
  int save_freq = -1;              // epochs; -1: none
  int report_freq = 20;            // iterations

  Device device = Device::automatic;
  Precision precision = Precision::fp32;
  StepMode step_mode = StepMode::automatic;
  bool reference_kernels = false;  // --kernels reference
  bool deterministic = false;
  bool verbose = false;      // log lines of level debug, too; also keyword debug
  bool tensorboard = false;  // write event files
  bool dry_run = false;      // print the effective configuration and stop

  bool operator==(const TrainOptions&) const = default;
};

}  // namespace lowbit::config
