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
  std::string pretrained;                   // file under weights_dir/<model>/, or a path
  std::vector<std::string> resume_scope;    // parts of the names to load; empty: all
  std::vector<std::string> unresume_scope;  // parts of the names to leave out
  bool re_init = false;                     // quantizers start anew after loading
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
  bool verbose = false;                    // log lines of level debug, too; also keyword debug
  bool probe = false;                      // keyword probe: dump tensors
  std::vector<std::string> probe_list;     // their names or parts of them; empty: the usual ones
  std::vector<int> probe_index;            // layers that can be quantized; empty: all
  std::vector<int> probe_iteration = {0};  // of the run, from 0

  bool dry_run = false;  // print the effective configuration and stop

  bool operator==(const TrainOptions&) const = default;
};

}  // namespace lowbit::config
