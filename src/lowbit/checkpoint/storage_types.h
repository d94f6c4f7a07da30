// PyTorch's names in files for what tensors are made of.
#pragma once

#include <torch/types.h>

#include <array>
#include <string_view>

namespace lowbit::checkpoint {

struct StorageType {
  std::string_view name;              // of the class in Python's module torch; "" if there is none
  std::string_view dtype_name;        // in Python's module torch
  std::string_view safetensors_name;  // "" if there is none
  torch::Dtype dtype;
};

inline constexpr auto storage_types = std::to_array<StorageType>({
    {"FloatStorage", "float32", "F32", torch::kFloat32},
    {"DoubleStorage", "float64", "F64", torch::kFloat64},
    {"HalfStorage", "float16", "F16", torch::kFloat16},
    {"BFloat16Storage", "bfloat16", "BF16", torch::kBFloat16},
    {"LongStorage", "int64", "I64", torch::kInt64},
    {"IntStorage", "int32", "I32", torch::kInt32},
    {"ShortStorage", "int16", "I16", torch::kInt16},
    {"CharStorage", "int8", "I8", torch::kInt8},
    {"ByteStorage", "uint8", "U8", torch::kUInt8},
    {"BoolStorage", "bool", "BOOL", torch::kBool},
    {"ComplexFloatStorage", "complex64", "C64", torch::kComplexFloat},
    {"ComplexDoubleStorage", "complex128", "", torch::kComplexDouble},
    {"QInt8Storage", "qint8", "", torch::kQInt8},
    {"QUInt8Storage", "quint8", "", torch::kQUInt8},
    {"QInt32Storage", "qint32", "", torch::kQInt32},
    {"", "uint16", "U16", torch::kUInt16},
    {"", "uint32", "U32", torch::kUInt32},
    {"", "uint64", "U64", torch::kUInt64},
    {"", "float8_e4m3fn", "F8_E4M3", torch::kFloat8_e4m3fn},
    {"", "float8_e5m2", "F8_E5M2", torch::kFloat8_e5m2},
    {"", "float8_e4m3fnuz", "", torch::kFloat8_e4m3fnuz},
    {"", "float8_e5m2fnuz", "", torch::kFloat8_e5m2fnuz},
    {"", "float8_e8m0fnu", "F8_E8M0", torch::kFloat8_e8m0fnu},
});

// In Python's module torch.storage, that of the types without a class: bytes, of which the tensor
// says the type.
inline constexpr std::string_view untyped_storage = "UntypedStorage";

}  // namespace lowbit::checkpoint
