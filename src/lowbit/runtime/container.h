// The packed file as bytes: a finished FlatBuffer of program.fbs and 16 bytes behind it, "lowbit",
// 0, 1 and the XXH3 checksum (64 bits, little-endian) of everything before them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lowbit/runtime/program_generated.h"

namespace lowbit::runtime {

inline constexpr size_t kTrailerBytes = 16;
// What the first byte of a file must be aligned to in memory for it to be used in place.
inline constexpr size_t kFileAlignment = 64;

// The file of a finished FlatBuffer.
std::vector<uint8_t> seal(std::span<const uint8_t> program);

// The file of a model.
std::vector<uint8_t> seal(const packed::ModelT& model);

// The model in the bytes of a file, which must stay, at an address aligned to kFileAlignment. What
// it points to is inside the bytes; whether it makes sense is another question (check.h). An Error
// (usage) if they are not a packed file, or a damaged one.
const packed::Model& open_sealed(std::span<const uint8_t> file);

}  // namespace lowbit::runtime
