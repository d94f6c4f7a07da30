#include "lowbit/runtime/container.h"

#include <array>
#include <bit>
#include <cstring>

#include "lowbit/core/error.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace lowbit::runtime {
namespace {

static_assert(std::endian::native == std::endian::little,
              "the vectors of a packed file are used in place");

constexpr std::array<uint8_t, 8> kMark{'l', 'o', 'w', 'b', 'i', 't', 0, 1};
// Tables of a program: a handful for each step. More is not looked at.
constexpr flatbuffers::uoffset_t kMostTables = 1 << 20;

uint64_t checksum_of(std::span<const uint8_t> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace

std::vector<uint8_t> seal(std::span<const uint8_t> program) {
  std::vector<uint8_t> file(program.begin(), program.end());
  const uint64_t checksum = checksum_of(program);
  std::array<uint8_t, sizeof checksum> number;
  std::memcpy(number.data(), &checksum, sizeof checksum);
  file.insert(file.end(), kMark.begin(), kMark.end());
  file.insert(file.end(), number.begin(), number.end());
  return file;
}

std::vector<uint8_t> seal(const packed::ModelT& model) {
  flatbuffers::FlatBufferBuilder builder;
  packed::FinishModelBuffer(builder, packed::CreateModel(builder, &model));
  return seal({builder.GetBufferPointer(), builder.GetSize()});
}

const packed::Model& open_sealed(std::span<const uint8_t> file) {
  if (reinterpret_cast<uintptr_t>(file.data()) % kFileAlignment != 0)
    throw core::usage_error("a packed network must lie at an address that {} divides",
                            kFileAlignment);
  constexpr size_t kLeast = 8;  // the offset of the root and the identifier
  if (file.size() < kTrailerBytes + kLeast || file.size() >= FLATBUFFERS_MAX_BUFFER_SIZE ||
      !packed::ModelBufferHasIdentifier(file.data()))
    throw core::usage_error("not a packed network, as `lowbit export` writes them");
  const std::span<const uint8_t> program = file.first(file.size() - kTrailerBytes);
  const std::span<const uint8_t> trailer = file.last(kTrailerBytes);
  if (std::memcmp(trailer.data(), kMark.data(), kMark.size()) != 0)
    throw core::usage_error("the packed network has no end: the file was cut");
  uint64_t checksum;
  std::memcpy(&checksum, trailer.data() + kMark.size(), sizeof checksum);
  if (checksum != checksum_of(program))
    throw core::usage_error("the packed network is damaged: its checksum does not hold");
  flatbuffers::Verifier::Options options;
  options.max_depth = 8;
  options.max_tables = kMostTables;
  flatbuffers::Verifier verifier(program.data(), program.size(), options);
  if (!packed::VerifyModelBuffer(verifier))
    throw core::usage_error("the packed network is not laid out as its format says");
  return *packed::GetModel(program.data());
}

}  // namespace lowbit::runtime
