#include "lowbit/events/event_writer.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>

#include "event.pb.h"
#include "lowbit/core/files.h"
#include "lowbit/core/printable.h"

namespace lowbit::events {
namespace {

constexpr std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < table.size(); ++byte) {
    uint32_t rest = byte;
    for (int bit = 0; bit < 8; ++bit) rest = (rest >> 1) ^ ((rest & 1) != 0 ? 0x82f63b78U : 0);
    table[byte] = rest;
  }
  return table;
}

std::string little_endian(uint64_t number, int bytes) {
  std::string result;
  for (int i = 0; i < bytes; ++i) result += static_cast<char>(number >> (8 * i) & 0xff);
  return result;
}

// The checksum of data that holds checksums is a weak one: stored ones are masked.
uint32_t masked(uint32_t crc) {
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

double now() {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(since_1970).count();
}

std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 && name[0] ? name.data() : "localhost";
}

// Two processes or writers may start within a second.
std::filesystem::path new_file(const std::filesystem::path& folder) {
  const auto seconds = static_cast<int64_t>(now());
  for (int number = 0;; ++number) {
    const auto path = folder / fmt::format("events.out.tfevents.{:010}.{}.{}.{}", seconds,
                                           host_name(), ::getpid(), number);
    if (!std::filesystem::exists(path)) return path;
  }
}

// Code k is the bucket (k - 1/2, k + 1/2].
void fill(const std::vector<int64_t>& counts, HistogramProto& histogram) {
  double number = 0, sum = 0, squares = 0;
  int first = -1, last = 0;
  for (int code = 0; code < static_cast<int>(counts.size()); ++code) {
    const auto count = static_cast<double>(counts[static_cast<size_t>(code)]);
    number += count;
    sum += code * count;
    squares += 1.0 * code * code * count;
    if (count > 0) last = code;
    if (count > 0 && first < 0) first = code;
    histogram.add_bucket_limit(code + 0.5);
    histogram.add_bucket(count);
  }
  histogram.set_min(std::max(first, 0));
  histogram.set_max(last);
  histogram.set_num(number);
  histogram.set_sum(sum);
  histogram.set_sum_squares(squares);
}

Event event_at(int64_t step) {
  Event event;
  event.set_wall_time(now());
  event.set_step(step);
  return event;
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  static constexpr std::array<uint32_t, 256> table = crc_table();
  uint32_t crc = 0xffffffffU;
  for (const char byte : bytes)
    crc = table[(crc ^ static_cast<unsigned char>(byte)) & 0xff] ^ (crc >> 8);
  return ~crc;
}

std::string record(std::string_view message) {
  const std::string length = little_endian(message.size(), 8);
  return length + little_endian(masked(crc32c(length)), 4) + std::string(message) +
         little_endian(masked(crc32c(message)), 4);
}

EventWriter::EventWriter(const std::filesystem::path& folder, int64_t first_step)
    : path_(new_file(folder)) {
  Event version = event_at(0);
  version.set_file_version("brain.Event:2");
  write(version.SerializeAsString());
  Event start = event_at(first_step);
  start.mutable_session_log()->set_status(SessionLog::START);
  write(start.SerializeAsString());
}

void EventWriter::add(int64_t step, const std::vector<Scalar>& scalars,
                      const std::vector<CodeCounts>& histograms) {
  Event event = event_at(step);
  Summary& summary = *event.mutable_summary();
  for (const Scalar& scalar : scalars) {
    Summary::Value& value = *summary.add_value();
    value.set_tag(core::printable(scalar.tag));
    value.set_simple_value(static_cast<float>(scalar.value));
  }
  for (const CodeCounts& histogram : histograms) {
    Summary::Value& value = *summary.add_value();
    value.set_tag(core::printable(histogram.tag));
    fill(histogram.counts, *value.mutable_histo());
  }
  write(event.SerializeAsString());
}

void EventWriter::write(std::string_view message) {
  core::append_file(path_, record(message));
}

}  // namespace lowbit::events
