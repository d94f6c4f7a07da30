// PyTorch's names in files for what tensors are made of.
#pragma once

#include <torch/types.h>

#include <array>
#include <string_view>

namespace lowbit::train {

struct StorageType {
  std::string_view name;  // of the class in Python's module torch
  torch::Dtype dtype;
};

inline constexpr auto storage_types = std::to_array<StorageType>({
    {"FloatStorage", torch::kFloat32},
    {"DoubleStorage", torch::kFloat64},
    {"HalfStorage", torch::kFloat16},
    {"BFloat16Storage", torch::kBFloat16},
    {"LongStorage", torch::kInt64},
    {"IntStorage", torch::kInt32},
    {"ShortStorage", torch::kInt16},
    {"CharStorage", torch::kInt8},
    {"ByteStorage", torch::kUInt8},
    {"BoolStorage", torch::kBool},
});

}  // namespace lowbit::train
