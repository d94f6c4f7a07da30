// The safetensors format: a header in JSON that names tensors, then their data.
// https://github.com/huggingface/safetensors
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lowbit::core {

struct SafeTensor {
  std::string name;
  std::string type;            // "F32", "BF16", "I64", ...
  std::vector<int64_t> shape;  // sides >= 0
  std::string_view data;       // row-major, little endian, within the file
};

// Whether the file begins with the length of a header and its brace; the first 9 bytes are enough.
bool is_safetensors(std::string_view start);

// The tensors of the file `bytes` in the order of their data. An Error (failure) if the header is
// damaged, or data overlap or lie outside the file. That `data` has the size of `shape` is not
// checked: the size of an element is up to the reader.
std::vector<SafeTensor> read_safetensors(std::string_view bytes);

}  // namespace lowbit::core
