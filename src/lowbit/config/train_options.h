// What the options of training, saving and logging say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lowbit/config/interval.h"

namespace lowbit::config {

enum class LrPolicy { decay, fix, fix_step, custom_step, poly, cos, sgdr, sgdr_step };
enum class Device { automatic, cpu, cuda };
enum class Precision { fp64, fp32, fp16, bf16 };
enum class OptimizerKind { sgd, adam };
// What a training step minimizes; validation always counts plain cross-entropy.
enum class Criterion { cross_entropy, label_smooth, focal };
// How a student follows its teacher, see train/loss.h.
enum class DistillLoss { soft, soft_b, hard };
// Apex's names for kinds of mixed precision: O0 none, the others all the same here.
enum class OptLevel { O0, O1, O2, O3 };
// How a step runs on a GPU: captured once as a CUDA graph, or launched operation by operation.
enum class StepMode { automatic, graph, eager };
// unfused: as automatic, but a norm, a sum, an activation and a quantizer are an operation each.
enum class Kernels { automatic, unfused, reference };

// QuantOptions::stable of a tag whose warm-up is stable_epoch epochs long: their iterations are
// known once the training set is (optim::settle_stable). Until then it has no warm-up.
inline constexpr int kStableOfEpochs = -1;

struct TrainOptions {
  int epochs = 40;
  int extra_epoch = 0;  // epochs after those, at the rate of the last
  OptimizerKind optimizer = OptimizerKind::sgd;
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
  std::vector<std::string> custom_lr_list;  // parts of parameter names
  double custom_lr = 1e-5;
  int iter_size = 1;  // batches whose gradients are summed for a step of the optimizer
  std::optional<double> grad_clip;  // bound on the norm of all gradients together
  // In iterations (batches); where one is 0, the same in epochs counts. See optim/schedule.h.
  int warmup = 0, warmup_epoch = 0;
  int wakeup = 0, wakeup_epoch = 0;
  int stable_epoch = 0;  // ModelOptions::stable in epochs
  uint64_t seed = 2;

  Criterion criterion = Criterion::cross_entropy;  // keywords label-smooth, focal-loss
  double label_smooth = 0.1;                       // share of the label spread over all classes
  double focal_gamma = 2;
  double focal_alpha = -1;      // weight of the target class; below 0: none
  std::string distill_teacher;  // model; empty: none
  std::string distill_weights;  // its file; empty: the name of `pretrained`
  double distill_alpha = 0.1;   // share of the teacher in the loss, 0..1
  double distill_temperature = 5;
  DistillLoss distill_loss = DistillLoss::soft;

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
  Interval save_every;             // saves within an epoch
  int report_freq = 20;            // iterations
  double delay = 0;                // seconds of pause after each iteration
  bool lr_test = false;            // only print the schedule

  Device device = Device::automatic;
  std::vector<int> device_ids = {0, 1, 2, 3};  // GPUs: a process on each, or the first that exists
  bool device_ids_given = false;
  int gpus = 0;              // processes on this machine; 0: as the other options say
  bool distributed = false;  // a process on each GPU of this machine
  int world_size = 0;        // processes of all machines; 0: those of this one
  int rank = 0;              // of the first process of this machine
  int peer_timeout = 600;    // seconds to wait for another process
  bool sync_bn = false;      // BatchNorm takes its statistics over all processes
  Precision precision = Precision::fp32;
  OptLevel opt_level = OptLevel::O1;
  StepMode step_mode = StepMode::automatic;
  Kernels kernels = Kernels::automatic;
  bool deterministic = false;
  bool verbose = false;                    // log lines of level debug, too; also keyword debug
  bool tensorboard = false;                // write event files
  bool pack = false;                       // and compare with float32, when the run has ended
  bool probe = false;                      // keyword probe: dump tensors
  std::vector<std::string> probe_list;     // their names or parts of them; empty: the usual ones
  std::vector<int> probe_index;            // layers that can be quantized; empty: all
  std::vector<int> probe_iteration = {0};  // of the run, from 0

  bool dry_run = false;  // print the effective configuration and stop

  bool operator==(const TrainOptions&) const = default;
};

}  // namespace lowbit::config
