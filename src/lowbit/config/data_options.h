// What --dataset, --root and their companions say.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace lowbit::config {

struct DataOptions {
  // imagenet | dali (the same folders) | fashion | cifar10 | cifar100 | fake.
  std::string dataset = "imagenet";
  std::string root;  // folder or archive; empty: the data set's usual place
  // Base addresses that are asked for a missing archive before those of the data set.
  std::vector<std::string> mirrors;
  bool offline = false;       // a missing archive is not downloaded
  int input_size = 224;       // pixels of a side; resolved like ModelOptions::input_size
  int num_classes = 1000;     // resolved; for `fake`
  int train_batch = 256;      // samples of a step
  int val_batch = 50;         // < 1: no validation
  bool mixup_enable = false;  // mixtures of two samples of a batch, see train/mixup.h
  double mixup_alpha = 0.7;
  bool addition_augment = false;  // imagenet: color jitter and lighting, see data/color.h
  bool skip_damaged = false;      // imagenet: in place of a damaged image the next one of the set
  int workers = 12;               // threads that decode; capped to the usable cores
  // dali: share of the images that the CPU's threads decode beside the GPU; nothing: as many as
  // they can, see data/gpu_samples.h.
  std::optional<double> cpu_share;
  // Per channel, of values in 0..1; resolved from --mean/--std or the data set's own.
  std::array<double, 3> mean{}, std{1, 1, 1};

  bool operator==(const DataOptions&) const = default;
};

}  // namespace lowbit::config
