// TensorBoard's event files: a sequence of records, each a message with checksums around it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace lowbit::events {

struct Scalar {
  std::string tag;  // "loss/train": TensorBoard groups by what stands before the first slash
  double value;
};

// How often each of the codes 0, 1, ... occurs.
struct CodeCounts {
  std::string tag;
  std::vector<int64_t> counts;
};

class EventWriter {
 public:
  // Creates a new file in the folder, named as TensorBoard expects. `first_step`: events of earlier
  // files in the folder with this step or a later one no longer count. An Error (failure) names the
  // file if it cannot be written.
  EventWriter(const std::filesystem::path& folder, int64_t first_step);

  // One event; on disk when it returns.
  void add(int64_t step, const std::vector<Scalar>& scalars,
           const std::vector<CodeCounts>& histograms);

  const std::filesystem::path& path() const { return path_; }

 private:
  void write(std::string_view message);

  std::filesystem::path path_;
};

// The checksum of iSCSI and of these files (RFC 3720, appendix B.4): polynomial 0x1edc6f41,
// reflected.
uint32_t crc32c(std::string_view bytes);

// TFRecord: length (8 bytes, little endian), its masked checksum (4), the message, its masked
// checksum (4). https://www.tensorflow.org/tutorials/load_data/tfrecord
std::string record(std::string_view message);

}  // namespace lowbit::events
