// The idx format of http://yann.lecun.com/exdb/mnist: big-endian 32-bit numbers (magic 0x800 +
// rank, then the size of each dimension), then bytes.
#pragma once

#include <torch/types.h>

#include <filesystem>

namespace lowbit::data {

// The bytes as a uint8 tensor of `rank` dimensions, from a plain or gzip'ed file. An Error
// (failure) naming the file if it cannot be read, is of another rank or type, does not have the
// bytes that its header promises, or would unpack to more than `limit` bytes. Memory is taken only
// for bytes that are there, whatever the header says.
torch::Tensor read_idx(const std::filesystem::path& path, int rank, size_t limit);

}  // namespace lowbit::data
