// Labels and class names, as every data set has them.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

namespace lowbit::data {

// An Error (failure) naming `file` and the first of `labels` (int64 [N], not negative) that is not
// below class_count.
void check_labels(const torch::Tensor& labels, int64_t class_count, const std::string& file);

// "0", "1", ...: for sets whose files name no classes.
std::vector<std::string> numbered_classes(int64_t count);

}  // namespace lowbit::data
