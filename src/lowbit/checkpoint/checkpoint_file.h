// PyTorch's .pth files, read and written without Python: a tree of plain values and tensors.
//
// Read: the zip format (torch.save since 1.6), the legacy format before it, and safetensors.
// Nothing in a file is ever executed: an object of a class that is no plain data becomes Opaque.
// Written: the zip format, as torch.load(weights_only=True) reads it.
#pragma once

#include <filesystem>

#include "lowbit/checkpoint/value.h"

namespace lowbit::checkpoint {

// The tree of a .pth file, its tensors on the CPU; views of one storage share it here, too. A file
// that is missing, cut, damaged, crafted or in no known format is one Error (failure) naming it,
// and what it is instead, if that is known (core/file_kind.h).
Value read_checkpoint(const std::filesystem::path& path);

// Whether the file begins as one of these formats does, or as another one that is no text. Not one
// that is missing or empty.
bool looks_like_checkpoint(const std::filesystem::path& path);

// Writes `root` so that `path` holds either its old or the new content; the old content then stays
// as `kept`, if that is not empty (core::replace_file).
// Tensors of any device and layout are written contiguous; those that are one and the same, once.
// An Opaque value cannot be written: an Error (failure) says where it stands.
void write_checkpoint(const std::filesystem::path& path, const Value& root,
                      const std::filesystem::path& kept = {});

}  // namespace lowbit::checkpoint
