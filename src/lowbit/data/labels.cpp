#include "lowbit/data/labels.h"

#include "lowbit/core/error.h"

namespace lowbit::data {

void check_labels(const torch::Tensor& labels, int64_t class_count, const std::string& file) {
  const torch::Tensor wrong = torch::nonzero(labels >= class_count);
  if (wrong.numel() == 0) return;
  const int64_t first = wrong[0].item<int64_t>();
  throw core::failure("'{}': image {} has label {}, expected 0..{}", file, first,
                      labels[first].item<int64_t>(), class_count - 1);
}

std::vector<std::string> numbered_classes(int64_t count) {
  std::vector<std::string> names;
  for (int64_t label = 0; label < count; ++label) names.push_back(std::to_string(label));
  return names;
}

}  // namespace lowbit::data
