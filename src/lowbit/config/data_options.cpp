#include "lowbit/config/data_options.h"

#include "lowbit/config/option_table.h"

namespace lowbit::config {

namespace {

template <const char*... names>
std::string only_on(const Options& options) {
  const std::string& dataset = options.data.dataset;
  return ((dataset == names) || ...) ? "" : fmt::format("on data set '{}'", dataset);
}
constexpr char kImageNet[] = "imagenet", kDali[] = "dali", kCifar10[] = "cifar10",
               kCifar100[] = "cifar100";

}  // namespace

std::vector<Option> data_option_rows() {
  auto table = option_table<DataOptions>(
      "Data", false, [](auto& o) -> auto& { return o.data; });
  table.choice(
      {"--dataset"}, &DataOptions::dataset,
      {{"imagenet", "imagenet"},
       {"dali", "dali"},
       {"fashion", "fashion"},
       {"cifar10", "cifar10"},
       {"cifar100", "cifar100"},
       {"fake", "fake"}},
      "data set; imagenet: root/train/CLASS/*, root/val/CLASS/*; dali: the same by a GPU; fake: "
      "random images, 100000 long");
  table
      .text({"--root"}, &DataOptions::root, "PATH",
            "folder, archive or packed file of the data set; none: its usual place")
      .may_differ = true;
  Option& mirror = table.words(
      {"--mirror"}, &DataOptions::mirrors,
      "addresses of folders asked for a missing archive (cifar10, cifar100) before those of "
      "LOWBIT_MIRROR and the publisher's");
  mirror.idle = only_on<kCifar10, kCifar100>;
  mirror.may_differ = true;
  table.flag({"--offline"}, &DataOptions::offline, "a missing archive is not downloaded")
      .may_differ = true;
  table.integer({"--batch_size", "-b"}, &DataOptions::train_batch, between(1, 1 << 20),
                "samples of a training step");
  table.integer({"--val_batch_size", "-v"}, &DataOptions::val_batch, kAny,
                "samples of a validation step; below 1: no validation");
  table
      .integer({"--workers", "-j"}, &DataOptions::workers, between(1, 1024),
               "threads that decode images, at most the usable cores")
      .may_differ = true;
  Option& cpu_share = table.optional_number(
      {"--dali_cpu_share"}, &DataOptions::cpu_share, between(0, 1),
      "dali: share of the images that these threads make beside the GPU; none: "
      "as many as they can");
  cpu_share.idle = only_on<kDali>;
  cpu_share.may_differ = true;
  for (const auto& [name, field, range] : {std::tuple("--mean", &DataOptions::mean, kAny),
                                           std::tuple("--std", &DataOptions::std, kPositive)})
    table.triple({name}, field, range, "normalization of each channel, of values in 0..1")
        .default_value = "of the data set";
  table
      .flag({"--addition_augment", "--aa"}, &DataOptions::addition_augment,
            "color jitter and PCA lighting of training images (imagenet, dali)")
      .idle = only_on<kImageNet, kDali>;
  table
      .flag({"--skip_damaged"}, &DataOptions::skip_damaged,
            "imagenet: an image that cannot be read is replaced by the next one and counted; else "
            "it ends the run")
      .idle = only_on<kImageNet, kDali>;
  table.flag({"--mixup_enable"}, &DataOptions::mixup_enable,
             "train on mixtures of two samples and of their labels");
  table
      .number({"--mixup_alpha"}, &DataOptions::mixup_alpha, kNotNegative,
              "mixup: the share of a sample is drawn from Beta(alpha, alpha); 0: no mixture")
      .idle = [](const Options& options) {
    return options.data.mixup_enable ? "" : "without '--mixup_enable'";
  };
  return std::move(table).rows();
}

}  // namespace lowbit::config
