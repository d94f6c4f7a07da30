#include "lowbit/config/train_options.h"

#include "lowbit/config/option_table.h"

namespace lowbit::config {
namespace {

auto table_of_group(const char* group) {
  return option_table<TrainOptions>(
      group, false, [](auto& o) -> auto& { return o.train; });
}

std::vector<Choice<LrPolicy>> lr_policies() {
  return {{"decay", LrPolicy::decay},       {"fix", LrPolicy::fix},
          {"fix_step", LrPolicy::fix_step}, {"custom_step", LrPolicy::custom_step},
          {"poly", LrPolicy::poly},         {"cos", LrPolicy::cos},
          {"sgdr", LrPolicy::sgdr},         {"sgdr_step", LrPolicy::sgdr_step}};
}

template <LrPolicy... policies>
std::string only_with_policy(const Options& options) {
  const TrainOptions& train = options.train;
  if (((train.lr_policy == policies) || ...)) return "";
  for (const Choice<LrPolicy>& choice : lr_policies())
    if (choice.value == train.lr_policy) return fmt::format("with '--lr_policy {}'", choice.name);
  return "";
}

std::string idle_with_adam(const Options& options) {
  return options.train.optimizer == OptimizerKind::adam ? "with ADAM" : "";
}

std::string idle_without_file(const Options& options) {
  const TrainOptions& train = options.train;
  const bool loads = train.resume || train.evaluate || !train.pretrained.empty();
  return loads ? "" : "without '--pretrained' or '--resume'";
}

std::vector<Option> optimization_rows() {
  auto table = table_of_group("Training");
  table.integer({"--epochs"}, &TrainOptions::epochs, between(0, 1000000), "passes over the data");
  table.integer({"--extra_epoch"}, &TrainOptions::extra_epoch, between(0, 1000000),
                "epochs after those, at the learning rate of the last");
  table.choice({"--optimizer"}, &TrainOptions::optimizer,
               {{"SGD", OptimizerKind::sgd}, {"ADAM", OptimizerKind::adam}}, "optimizer");
  table.number({"--lr"}, &TrainOptions::lr, kNotNegative, "learning rate at the start");
  table.choice({"--lr_policy"}, &TrainOptions::lr_policy, lr_policies(),
               "how the learning rate falls");
  table
      .number({"--lr_decay"}, &TrainOptions::lr_decay, kNotNegative,
              "decay, fix_step, custom_step, sgdr_step: factor; poly: power")
      .idle = only_with_policy<LrPolicy::decay, LrPolicy::fix_step, LrPolicy::custom_step,
                               LrPolicy::poly, LrPolicy::sgdr_step>;
  table
      .number({"--eta_min"}, &TrainOptions::eta_min, kNotNegative,
              "poly, cos, sgdr, sgdr_step: learning rate at the end")
      .idle = only_with_policy<LrPolicy::poly, LrPolicy::cos, LrPolicy::sgdr, LrPolicy::sgdr_step>;
  table
      .integer({"--lr_fix_step"}, &TrainOptions::lr_fix_step, at_least(1),
               "fix_step: epochs between steps")
      .idle = only_with_policy<LrPolicy::fix_step>;
  table
      .ascending({"--lr_custom_step"}, &TrainOptions::lr_custom_step, kNotNegative,
                 "custom_step: epochs of the steps; poly, cos, sgdr, sgdr_step: epochs where it "
                 "starts again")
      .idle = only_with_policy<LrPolicy::custom_step, LrPolicy::poly, LrPolicy::cos, LrPolicy::sgdr,
                               LrPolicy::sgdr_step>;
  table
      .number({"--momentum"}, &TrainOptions::momentum, {.min = 0, .max = 1, .below_max = true},
              "of SGD")
      .idle = idle_with_adam;
  table.flag({"--nesterov"}, &TrainOptions::nesterov, "Nesterov momentum").idle = idle_with_adam;
  table.number({"--weight_decay", "--wd"}, &TrainOptions::weight_decay, kNotNegative,
               "weight decay");
  table.flag({"--decay_small"}, &TrainOptions::decay_small,
             "weight decay also for vectors and depth-wise weights");
  table.shorthand({"--no_decay_small"}, "--decay_small", "false",
                  "no decay for those: the default");
  table.words({"--custom_decay_list"}, &TrainOptions::custom_decay_list,
              "parts of parameter names whose weight decay is custom_decay");
  table
      .number({"--custom_decay"}, &TrainOptions::custom_decay, kNotNegative,
              "weight decay of custom_decay_list")
      .idle = [](const Options& o) {
    return !o.train.custom_decay_list.empty() ? "" : "without '--custom_decay_list'";
  };
  table.seed({"--seed"}, &TrainOptions::seed, "of initialization, order and augmentation");
  table.integer({"--iter-size"}, &TrainOptions::iter_size, at_least(1),
                "batches whose gradients are summed for a step of the optimizer");
  table.optional_number({"--grad_clip"}, &TrainOptions::grad_clip, kPositive,
                        "bound on the norm of all gradients together");
  table.words({"--custom_lr_list"}, &TrainOptions::custom_lr_list,
              "parts of parameter names whose learning rate starts at custom_lr; quant_weight: it "
              "stays there, also that of the quantized weight");
  table
      .number({"--custom_lr"}, &TrainOptions::custom_lr, kNotNegative,
              "learning rate of custom_lr_list")
      .idle = [](const Options& o) {
    return !o.train.custom_lr_list.empty() ? "" : "without '--custom_lr_list'";
  };
  table.integer({"--warmup"}, &TrainOptions::warmup, kNotNegative,
                "iterations at the start that only gather statistics");
  table
      .integer({"--warmup_epoch"}, &TrainOptions::warmup_epoch, kNotNegative,
               "the same in epochs, where warmup is 0")
      .idle = [](const Options& o) { return o.train.warmup == 0 ? "" : "beside '--warmup'"; };
  table.integer({"--wakeup"}, &TrainOptions::wakeup, kNotNegative,
                "iterations at the start in which the learning rate rises from 0");
  table
      .integer({"--wakeup_epoch"}, &TrainOptions::wakeup_epoch, kNotNegative,
               "the same in epochs, where wakeup is 0")
      .idle = [](const Options& o) { return o.train.wakeup == 0 ? "" : "beside '--wakeup'"; };
  table.integer({"--stable_epoch"}, &TrainOptions::stable_epoch, kNotNegative,
                "--stable in epochs, where that is 0; a copy of the checkpoint is kept at its end");
  return std::move(table).rows();
}

std::vector<Option> loss_rows() {
  auto table = table_of_group("Loss");
  table
      .number({"--label_smooth"}, &TrainOptions::label_smooth, between(0, 1),
              "share of the label that keyword label-smooth spreads over all classes")
      .idle = [](const Options& o) {
    return o.train.criterion == Criterion::label_smooth ? "" : "without keyword 'label-smooth'";
  };
  table
      .number({"--focal_gamma"}, &TrainOptions::focal_gamma, kNotNegative,
              "keyword focal-loss: how little easy samples count")
      .idle = [](const Options& o) {
    return o.train.criterion == Criterion::focal ? "" : "without keyword 'focal-loss'";
  };
  table
      .number({"--focal_alpha"}, &TrainOptions::focal_alpha, {.max = 1},
              "keyword focal-loss: weight of the target class; below 0: none")
      .idle = [](const Options& o) {
    return o.train.criterion == Criterion::focal ? "" : "without keyword 'focal-loss'";
  };
  table.text({"--distill_teacher"}, &TrainOptions::distill_teacher, "MODEL",
             "network to learn from");
  table
      .text({"--distill_weights"}, &TrainOptions::distill_weights, "FILE",
            "its weights, under weights_dir/<teacher>/ or a path; none: the name of pretrained")
      .idle = [](const Options& o) {
    return !o.train.distill_teacher.empty() ? "" : "without '--distill_teacher'";
  };
  table
      .number({"--distill_loss_alpha"}, &TrainOptions::distill_alpha, between(0, 1),
              "share of the teacher in the loss")
      .idle = [](const Options& o) {
    return !o.train.distill_teacher.empty() ? "" : "without '--distill_teacher'";
  };
  table
      .number({"--distill_loss_temperature"}, &TrainOptions::distill_temperature, kPositive,
              "temperature of both softmaxes")
      .idle = [](const Options& o) {
    if (o.train.distill_teacher.empty()) return "without '--distill_teacher'";
    return o.train.distill_loss == DistillLoss::hard ? "with '--distill_loss_type hard'" : "";
  };
  table
      .choice({"--distill_loss_type"}, &TrainOptions::distill_loss,
              {{"soft", DistillLoss::soft},
               {"soft-b", DistillLoss::soft_b},
               {"hard", DistillLoss::hard}},
              "soft: temperature^2 times the divergence, its mean over samples and classes; "
              "soft-b: cross-entropy to the teacher's softmax; hard: to its best class")
      .idle = [](const Options& o) {
    return !o.train.distill_teacher.empty() ? "" : "without '--distill_teacher'";
  };
  return std::move(table).rows();
}

std::vector<Option> file_rows() {
  auto table = table_of_group("Checkpoints and logs");
  table.text({"--case"}, &TrainOptions::case_name, "NAME", "names the files of the run");
  table.text({"--pretrained"}, &TrainOptions::pretrained, "FILE",
             "weights to start from, under weights_dir/<model>/ or a path");
  table.flag({"--resume", "-r"}, &TrainOptions::resume,
             "go on from resume_file; from the start where the run has saved nothing yet");
  table.text({"--resume_file"}, &TrainOptions::resume_file, "FILE", "checkpoint to go on from")
      .idle = [](const Options& o) {
    const TrainOptions& train = o.train;
    const bool evaluates_own = train.evaluate && train.pretrained.empty();
    return train.resume || evaluates_own ? "" : "without '--resume'";
  };
  table.flag({"--evaluate", "-e"}, &TrainOptions::evaluate,
             "only evaluate: the file of --pretrained, else the newest state of the run itself");
  table.text({"--weights_dir"}, &TrainOptions::weights_dir, "FOLDER", "where checkpoints lie")
      .may_differ = true;
  table.text({"--log_dir"}, &TrainOptions::log_dir, "FOLDER", "where logs lie").may_differ = true;
  table.integer({"--save_freq", "-s"}, &TrainOptions::save_freq, at_least(-1),
                "epochs between kept checkpoints; below 1: none");
  table.interval({"--save_every"}, &TrainOptions::save_every,
                 "saves also within an epoch: 500 (steps), 10m (30s, 2h); none: after each epoch");
  table
      .integer({"--report_freq"}, &TrainOptions::report_freq, at_least(1),
               "iterations between reports")
      .may_differ = true;
  table
      .flag({"--verbose"}, &TrainOptions::verbose,
            "log details, and what every quantizer does, at the start and after each epoch")
      .may_differ = true;
  table
      .flag({"--dry-run"}, &TrainOptions::dry_run,
            "read and build everything, print the effective configuration, stop")
      .may_differ = true;
  table
      .flag({"--tensorboard"}, &TrainOptions::tensorboard,
            "write TensorBoard event files into the folder of the run")
      .may_differ = true;
  table
      .flag({"--pack"}, &TrainOptions::pack,
            "at the end: pack the network as lowbit export does, compare size and speed with "
            "float32")
      .idle = [](const Options& o) { return !o.train.evaluate ? "" : "with '--evaluate'"; };
  table
      .words({"--resume_scope"}, &TrainOptions::resume_scope,
             "parts of the names of a checkpoint's entries to load; none: all")
      .idle = idle_without_file;
  table
      .words({"--unresume_scope"}, &TrainOptions::unresume_scope,
             "parts of the names of a checkpoint's entries to leave out")
      .idle = idle_without_file;
  table
      .flag({"--re_init"}, &TrainOptions::re_init,
            "clip values and other state of quantizers start anew after --pretrained is loaded")
      .idle = [](const Options& o) {
    return !o.train.pretrained.empty() ? "" : "without '--pretrained'";
  };
  table
      .words({"--probe_list"}, &TrainOptions::probe_list,
             "keyword probe: parts of the names of what it dumps; none: input, quant_activation, "
             "quant_weight, output")
      .idle = [](const Options& o) { return o.train.probe ? "" : "without keyword 'probe'"; };
  table
      .ascending({"--probe_index"}, &TrainOptions::probe_index, kNotNegative,
                 "keyword probe: layers, by the index of policy files; none: all")
      .idle = [](const Options& o) { return o.train.probe ? "" : "without keyword 'probe'"; };
  table
      .ascending({"--probe_iteration"}, &TrainOptions::probe_iteration, kNotNegative,
                 "keyword probe: iterations of the run, from 0, before which it dumps")
      .idle = [](const Options& o) { return o.train.probe ? "" : "without keyword 'probe'"; };
  return std::move(table).rows();
}

std::vector<Option> machine_rows() {
  auto table = table_of_group("Machine");
  table
      .choice({"--device"}, &TrainOptions::device,
              {{"auto", Device::automatic}, {"cpu", Device::cpu}, {"cuda", Device::cuda}},
              "auto: a GPU if there is one")
      .may_differ = true;
  table.choice({"--precision"}, &TrainOptions::precision,
               {{"fp64", Precision::fp64},
                {"fp32", Precision::fp32},
                {"fp16", Precision::fp16},
                {"bf16", Precision::bf16}},
               "of activations and gradients");
  table.shorthand({"--fp16"}, "--precision", "fp16", "the same as --precision fp16");
  table.choice({"--kernels"}, &TrainOptions::kernels,
               {{"auto", Kernels::automatic},
                {"unfused", Kernels::unfused},
                {"reference", Kernels::reference}},
               "auto: the fastest; unfused: every layer is an operation; reference: plain loops");
  table
      .choice(
          {"--step"}, &TrainOptions::step_mode,
          {{"auto", StepMode::automatic}, {"graph", StepMode::graph}, {"eager", StepMode::eager}},
          "graph: a training step is one CUDA graph")
      .idle = [](const Options& o) {
    const bool acts = o.train.device != Device::cpu || o.train.step_mode == StepMode::eager;
    return acts ? "" : "with '--device cpu'";
  };
  table.flag({"--deterministic"}, &TrainOptions::deterministic, "the same bits in every run");
  table
      .choice(
          {"--opt_level"}, &TrainOptions::opt_level,
          {{"O0", OptLevel::O0}, {"O1", OptLevel::O1}, {"O2", OptLevel::O2}, {"O3", OptLevel::O3}},
          "of --fp16: O0 computes in fp32, the others alike")
      .idle = [](const Options& o) {
    const bool acts = o.train.precision == Precision::fp16 || o.train.opt_level == OptLevel::O0;
    return acts ? "" : "without '--fp16'";
  };
  table
      .integers({"--device-ids", "-g"}, &TrainOptions::device_ids, kNotNegative,
                "GPUs: where several are given, a process on each; by default the first that "
                "exists is used")
      .may_differ = true;
  table
      .integer({"--gpus"}, &TrainOptions::gpus, kNotNegative,
               "processes that train together on this machine, each on a GPU of its own, or on "
               "its part of the CPU's cores; batch_size is that of all; 0: as the options around "
               "say, else one")
      .may_differ = true;
  table.flag({"--distributed"}, &TrainOptions::distributed, "a process on each GPU").may_differ =
      true;
  table
      .integer({"--world_size"}, &TrainOptions::world_size, kNotNegative,
               "processes of all machines, which meet at MASTER_ADDR:MASTER_PORT of the "
               "environment; 0: those of this one")
      .may_differ = true;
  table
      .integer({"--rank"}, &TrainOptions::rank, kNotNegative,
               "number of the first process of this machine")
      .may_differ = true;
  table
      .integer({"--peer_timeout"}, &TrainOptions::peer_timeout, between(1, 1000000),
               "seconds to wait for another process: until it comes, while it does not answer, "
               "and in a step; then the run ends and names it")
      .may_differ = true;
  table.flag({"--sync_bn"}, &TrainOptions::sync_bn,
             "BatchNorm takes its statistics over the batch of all processes");
  table
      .number({"--delay"}, &TrainOptions::delay, between(0, 86400),
              "seconds of pause after each iteration; default: DELAY of the environment, if set")
      .may_differ = true;
  return std::move(table).rows();
}

}  // namespace

std::vector<Option> train_option_rows() {
  std::vector<Option> all = optimization_rows();
  for (auto* rows : {loss_rows, file_rows, machine_rows})
    for (Option& row : rows()) all.push_back(std::move(row));
  return all;
}

}  // namespace lowbit::config
