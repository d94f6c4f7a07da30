#include "lowbit/data/labels.h"

#include <algorithm>

#include "lowbit/core/error.h"

namespace lowbit::data {
namespace {

// Numbers stand for classes that a data set does not name.
bool has_names(const std::vector<std::string>& classes) {
  return std::ranges::any_of(classes, [](const std::string& name) {
    return name.find_first_not_of("0123456789") != std::string::npos;
  });
}

}  // namespace

void require_classes_of(const std::vector<std::string>& trained,
                        const std::vector<std::string>& here, const std::string& holder) {
  if (!has_names(trained) || !has_names(here)) return;
  const auto [mine, theirs] = std::ranges::mismatch(trained, here);
  if (theirs == here.end()) return;
  const auto label = theirs - here.begin();
  core::Error error =
      mine == trained.end()
          ? core::usage_error("class {} of the data set, '{}', is none of the {} in the {}", label,
                              *theirs, trained.size(), holder)
          : core::usage_error("class {} is '{}' in the {} and '{}' in the data set", label, *mine,
                              holder, *theirs);
  throw error.detail("the network was trained on other classes: --dataset, --root");
}

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
