// Any bytes as a file of packed pictures whose checksums hold; what it names is read to its last
// byte.
#include <cstdint>
#include <numeric>
#include <string>

#include "lowbit/core/error.h"
#include "lowbit/data/packed_index.h"
#include "support/packed_files.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  namespace data = lowbit::data;
  std::string file(reinterpret_cast<const char*>(bytes), size);
  lowbit::testing_support::seal(file);
  try {
    const data::PackedIndex index(file);
    unsigned sum = 0;
    for (const data::Split split : data::kSplits)
      for (int64_t i = 0; i < index.size(split); ++i) {
        const data::PackedPicture picture = index.picture(split, i);
        sum += static_cast<unsigned>(index.class_names()[picture.label].size());
        for (const std::string_view part : {index.name_of(picture), index.bytes_of(picture)})
          sum = std::accumulate(part.begin(), part.end(), sum);
        try {
          sum += static_cast<unsigned>(data::open_picture(index.stored(picture))->width());
        } catch (const lowbit::core::Error&) {
        }
      }
    volatile unsigned kept = sum;
    static_cast<void>(kept);
  } catch (const lowbit::core::Error&) {
  }
  return 0;
}
