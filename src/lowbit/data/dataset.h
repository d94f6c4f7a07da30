// Labeled images as a data set's files hold them: bytes, before augmentation and normalization.
#pragma once

#include <torch/types.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lowbit/config/data_options.h"
#include "lowbit/data/split.h"
#include "lowbit/kernels/math/augment.h"

namespace lowbit::data {

struct ImageSet {
  torch::Tensor pixels;  // uint8 [M, H, W, 3] contiguous; sample i shows image i mod M, M <= N
  torch::Tensor labels;  // int64 [N], 0..class_names.size()-1
  std::vector<std::string> class_names;  // by label; their numbers where the files name none

  int64_t size() const { return labels.size(0); }
};

// Whether samples are decoded as they are needed: such a set is opened by open_batches alone.
bool is_streamed(const config::DataOptions& options);

// Reads a split of options.dataset into host memory. An Error (failure) names the file that is
// missing or damaged, what was expected (bytes, counts, range of labels) and how to get it; one of
// kind usage names a data set that does not exist, or is streamed.
ImageSet load(const config::DataOptions& options, Split split);

// The number of classes that the files of a streamed set hold, in the split for training where it
// is there, else for validation; nothing for other sets. An Error (failure) as open_batches says.
std::optional<int> classes_in_files(const config::DataOptions& options);

// Throws what load would throw for files that are not there, without reading any.
void require_files(const config::DataOptions& options, Split split);

// Downloads the files of the split if they are not there, the data set can be had so and
// options.offline is not set; else as require_files.
void obtain_files(const config::DataOptions& options, Split split);

// What is done to every training sample of the data set (validation samples stay as they are).
kernels::Augmentation augmentation(const config::DataOptions& options);

// One row per data set.
struct DatasetEntry {
  std::string_view name;
  // Null for a set that is streamed.
  ImageSet (*load)(const config::DataOptions&, Split) = nullptr;
  void (*require_files)(const config::DataOptions&, Split);
  // Null for a set that is not downloaded.
  void (*obtain_files)(const config::DataOptions&, Split) = nullptr;
  kernels::Augmentation augmentation;  // of the training split
  const char* how_to_get;              // one line for a user who lacks the files
};
std::span<const DatasetEntry> datasets();

}  // namespace lowbit::data
