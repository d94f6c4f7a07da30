#include "lowbit/config/train_options.h"

#include "lowbit/config/option_table.h"

namespace lowbit::config {
namespace {

auto table_of_group(const char* group) {
  return option_table<TrainOptions>(
      group, false, [](auto& o) -> auto& { return o.train; });
}

std::vector<Option> optimization_rows() {
  auto table = table_of_group("Training");
  table.integer({"--epochs"}, &TrainOptions::epochs, between(0, 1000000), "passes over the data");
  table.unbuilt({"--optimizer"}, "SGD|ADAM", "SGD", "optimizer");
  table.number({"--lr"}, &TrainOptions::lr, kNotNegative, "learning rate at the start");
  table.choice({"--lr_policy"}, &TrainOptions::lr_policy,
               {{"decay", LrPolicy::decay},
                {"fix", LrPolicy::fix},
                {"fix_step", LrPolicy::fix_step},
                {"custom_step", LrPolicy::custom_step},
                {"poly", LrPolicy::poly},
                {"cos", LrPolicy::cos}},
               {"sgdr", "sgdr_step"}, "how the learning rate falls with the epochs");
  table.number({"--lr_decay"}, &TrainOptions::lr_decay, kNotNegative,
               "decay, fix_step, custom_step: factor; poly: power");
  table.number({"--eta_min"}, &TrainOptions::eta_min, kNotNegative,
               "poly, cos: learning rate at the end");
  table.integer({"--lr_fix_step"}, &TrainOptions::lr_fix_step, at_least(1),
                "fix_step: epochs between steps");
  table.ascending({"--lr_custom_step"}, &TrainOptions::lr_custom_step, kNotNegative,
                  "custom_step: epochs of the steps; poly, cos: epochs where it starts again");
  table.number({"--momentum"}, &TrainOptions::momentum, {.min = 0, .max = 1, .below_max = true},
               "of SGD");
  table.flag({"--nesterov"}, &TrainOptions::nesterov, "Nesterov momentum");
  table.number({"--weight_decay", "--wd"}, &TrainOptions::weight_decay, kNotNegative,
               "weight decay");
  table.flag({"--decay_small"}, &TrainOptions::decay_small,
             "weight decay also for vectors and depth-wise weights");
  table.shorthand({"--no_decay_small"}, "--decay_small", "false",
                  "no decay for those: the default");
  table.words({"--custom_decay_list"}, &TrainOptions::custom_decay_list,
              "parts of parameter names whose weight decay is custom_decay");
  table.number({"--custom_decay"}, &TrainOptions::custom_decay, kNotNegative,
               "weight decay of custom_decay_list");
  table.seed({"--seed"}, &TrainOptions::seed, "of initialization, order and augmentation");
  table.unbuilt({"--iter-size"}, "INT", "1", "batches whose gradients are summed for a step");
  table.unbuilt({"--grad_clip"}, "NUMBER", "none", "bound on the gradient");
  table.unbuilt({"--custom_lr_list"}, "TEXT,TEXT,..", "none",
                "parts of parameter names whose learning rate is custom_lr");
  table.unbuilt({"--custom_lr"}, "NUMBER", "1e-5", "learning rate of custom_lr_list");
  table.unbuilt({"--warmup"}, "INT", "0", "iterations that only gather statistics");
  table.unbuilt({"--warmup_epoch"}, "INT", "0", "the same in epochs");
  table.unbuilt({"--wakeup"}, "INT", "0", "iterations in which the learning rate rises");
  table.unbuilt({"--wakeup_epoch"}, "INT", "0", "the same in epochs");
  table.unbuilt({"--stable_epoch"}, "INT", "0", "--stable in epochs");
  table.unbuilt({"--extra_epoch"}, "INT", "0", "epochs at the last learning rate");
  table.unbuilt({"--label_smooth"}, "NUMBER", "0.1", "label smoothing of keyword label-smooth");
  table.unbuilt({"--focal_gamma"}, "NUMBER", "2", "of keyword focal-loss");
  table.unbuilt({"--focal_alpha"}, "NUMBER", "-1", "of keyword focal-loss");
  table.unbuilt({"--distill_teacher"}, "MODEL", "none", "network to learn from");
  table.unbuilt({"--distill_loss_alpha"}, "NUMBER", "0.1", "weight of the teacher");
  table.unbuilt({"--distill_loss_temperature"}, "NUMBER", "5", "temperature of the teacher");
  table.unbuilt({"--distill_loss_type"}, "soft|soft-b|hard", "soft", "kind of the teacher's loss");
  return std::move(table).rows();
}

std::vector<Option> file_rows() {
  auto table = table_of_group("Checkpoints and logs");
  table.text({"--case"}, &TrainOptions::case_name, "NAME", "names the files of the run");
  table.text({"--pretrained"}, &TrainOptions::pretrained, "FILE",
             "weights to start from, under weights_dir/<model>/ or a path");
  table.flag({"--resume", "-r"}, &TrainOptions::resume, "go on from resume_file");
  table.text({"--resume_file"}, &TrainOptions::resume_file, "FILE", "checkpoint to go on from");
  table.flag({"--evaluate", "-e"}, &TrainOptions::evaluate, "only evaluate");
  table.text({"--weights_dir"}, &TrainOptions::weights_dir, "FOLDER", "where checkpoints lie");
  table.text({"--log_dir"}, &TrainOptions::log_dir, "FOLDER", "where logs lie");
  table.integer({"--save_freq", "-s"}, &TrainOptions::save_freq, at_least(-1),
                "epochs between kept checkpoints; below 1: none");
  table.integer({"--report_freq"}, &TrainOptions::report_freq, at_least(1),
                "iterations between reports");
  table.flag({"--verbose"}, &TrainOptions::verbose,
             "log details, and what every quantizer does, at the start and after each epoch");
  table.flag({"--dry-run"}, &TrainOptions::dry_run,
             "read and build everything, print the effective configuration, stop");
  table.flag({"--tensorboard"}, &TrainOptions::tensorboard,
             "write TensorBoard event files into the folder of the run");
  table.unbuilt({"--resume_scope"}, "TEXT,TEXT,..", "none", "entries of the checkpoint to load");
  table.unbuilt({"--unresume_scope"}, "TEXT,TEXT,..", "none", "entries to leave out");
  table.unbuilt({"--probe_list"}, "TEXT,TEXT,..", "none", "tensors that keyword probe dumps");
  table.unbuilt({"--probe_index"}, "INT,INT,..", "none", "quantizers that keyword probe dumps");
  table.unbuilt({"--probe_iteration"}, "INT,INT,..", "none", "when keyword probe dumps");
  return std::move(table).rows();
}

std::vector<Option> machine_rows() {
  auto table = table_of_group("Machine");
  table.choice({"--device"}, &TrainOptions::device,
               {{"auto", Device::automatic}, {"cpu", Device::cpu}, {"cuda", Device::cuda}}, {},
               "auto: a GPU if there is one");
  table.choice({"--precision"}, &TrainOptions::precision,
               {{"fp64", Precision::fp64},
                {"fp32", Precision::fp32},
                {"fp16", Precision::fp16},
                {"bf16", Precision::bf16}},
               {}, "of activations and gradients");
  table.shorthand({"--fp16"}, "--precision", "fp16", "the same as --precision fp16");
  table.choice({"--kernels"}, &TrainOptions::reference_kernels,
               {{"auto", false}, {"reference", true}}, {},
               "auto: the fastest; reference: plain loops");
  table.choice(
      {"--step"}, &TrainOptions::step_mode,
      {{"auto", StepMode::automatic}, {"graph", StepMode::graph}, {"eager", StepMode::eager}}, {},
      "graph: a training step is one CUDA graph");
  table.flag({"--deterministic"}, &TrainOptions::deterministic, "the same bits in every run");
  table.unbuilt({"--opt_level"}, "O0|O1|O2|O3", "O1", "flavor of mixed precision");
  Option& devices = table.unbuilt({"--device-ids", "-g"}, "INT..", "0 1 2 3",
                                  "GPUs to use; the first of the default");
  devices.arity = Arity::many;
  devices.harmless_values = {"0"};
  table.unbuilt_flag({"--sync_bn"}, "BatchNorm statistics over all GPUs");
  table.unbuilt_flag({"--distributed"}, "one process for each GPU");
  table.unbuilt({"--world_size"}, "INT", "1", "number of processes");
  table.unbuilt({"--rank"}, "INT", "0", "number of this process");
  table.unbuilt({"--delay"}, "SECONDS", "0", "pause after each iteration; default: DELAY, if set");
  return std::move(table).rows();
}

}  // namespace

std::vector<Option> train_option_rows() {
  std::vector<Option> all = optimization_rows();
  for (auto* rows : {file_rows, machine_rows})
    for (Option& row : rows()) all.push_back(std::move(row));
  return all;
}

}  // namespace lowbit::config
