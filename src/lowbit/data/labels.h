// Labels and class names, as every data set has them.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

namespace lowbit::data {

// An Error (failure) naming `file` and the first of `labels` (int64 [N], not negative) that is not
// below class_count.
void check_labels(const torch::Tensor& labels, int64_t class_count, const std::string& file);

// Whether label i means the same class for a network, which was trained on `trained`, and in a data
// set, whose classes are `here`: an Error (usage) naming the first one that differs, or the one
// that the network does not know. Classes whose names are numbers all fit. holder: what names
// `trained`, "checkpoint".
void require_classes_of(const std::vector<std::string>& trained,
                        const std::vector<std::string>& here, const std::string& holder);

// "0", "1", ...: for sets whose files name no classes.
std::vector<std::string> numbered_classes(int64_t count);

}  // namespace lowbit::data
