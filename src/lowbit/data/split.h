// The two parts of a data set.
#pragma once

namespace lowbit::data {

enum class Split { train, validation };

inline constexpr Split kSplits[] = {Split::train, Split::validation};

// What a folder of the split's pictures is called.
constexpr const char* folder_name(Split split) {
  return split == Split::train ? "train" : "val";
}

}  // namespace lowbit::data
