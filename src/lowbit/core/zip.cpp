#include "lowbit/core/zip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "lowbit/core/error.h"

namespace lowbit::core {
namespace {

// Records of PKWARE's APPNOTE.TXT, 4.3: signature and size of the fixed part.
constexpr uint32_t kLocalHeader = 0x04034b50, kDirectoryEntry = 0x02014b50;
constexpr uint32_t kEnd = 0x06054b50, kEnd64 = 0x06064b50, kEnd64Locator = 0x07064b50;
constexpr size_t kLocalHeaderSize = 30;
constexpr size_t kEndSize = 22, kEnd64Size = 56, kEnd64LocatorSize = 20;

constexpr uint16_t kZip64Field = 1, kPaddingField = 0x4246;
constexpr uint16_t kEncrypted = 1, kUtf8Names = 0x800;
constexpr uint16_t kStored = 0, kDeflated = 8, kVersionWithZip64 = 45;
// Where a field holds this, the value stands in a zip64 record.
constexpr uint32_t kSee64 = std::numeric_limits<uint32_t>::max();
constexpr uint16_t kSee64Short = std::numeric_limits<uint16_t>::max();

uint32_t checksum_of(std::string_view data) {
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(data.data()), data.size()));
}

// A record read field by field; reading past its end is the one error.
class Record {
 public:
  Record(std::string_view bytes, uint64_t offset) : bytes_(bytes), next_(offset) {
    if (offset > bytes.size()) cut();
  }
  uint16_t u16() { return static_cast<uint16_t>(number(2)); }
  uint32_t u32() { return static_cast<uint32_t>(number(4)); }
  uint64_t u64() { return number(8); }
  std::string_view take(uint64_t length) {
    if (length > bytes_.size() - next_) cut();
    const std::string_view taken = bytes_.substr(next_, length);
    next_ += length;
    return taken;
  }
  bool done() const { return next_ == bytes_.size(); }
  size_t offset() const { return next_; }

 private:
  [[noreturn]] static void cut() { throw failure("damaged zip archive: it ends early"); }
  uint64_t number(size_t size) {
    uint64_t value = 0;
    const std::string_view raw = take(size);
    for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<uint8_t>(raw[i]);
    return value;
  }

  std::string_view bytes_;
  size_t next_;
};

void expect_signature(Record& record, uint32_t signature) {
  if (record.u32() != signature)
    throw failure("damaged zip archive: a record is not where it should be");
}

struct Directory {
  uint64_t entries, size, offset;
};

// The end record is the last thing in the archive, but for a comment of at most 64 KiB.
size_t find_end(std::string_view bytes) {
  const std::string signature("PK\5\6", 4);
  const size_t found = bytes.size() < kEndSize ? std::string_view::npos
                                               : bytes.rfind(signature, bytes.size() - kEndSize);
  if (found == std::string_view::npos || bytes.size() - found > kEndSize + kSee64Short)
    throw failure("damaged zip archive: its end is missing");
  return found;
}

Directory read_end64(std::string_view bytes, size_t end) {
  if (end < kEnd64LocatorSize) throw failure("damaged zip archive: its zip64 end is missing");
  Record locator(bytes, end - kEnd64LocatorSize);
  expect_signature(locator, kEnd64Locator);
  locator.u32();  // number of the disk
  Record record(bytes, locator.u64());
  expect_signature(record, kEnd64);
  record.take(8 + 2 + 2 + 4 + 4 + 8);  // its size, versions, disks, entries on this disk
  const uint64_t entries = record.u64(), size = record.u64();
  return {entries, size, record.u64()};
}

Directory find_directory(std::string_view bytes) {
  const size_t end = find_end(bytes);
  Record record(bytes, end);
  record.take(4 + 2 + 2 + 2);  // signature, disks, entries on this disk
  const uint16_t entries = record.u16();
  const uint32_t size = record.u32(), offset = record.u32();
  if (entries == kSee64Short || size == kSee64 || offset == kSee64) return read_end64(bytes, end);
  return {entries, size, offset};
}

// Replaces those of `size`, `stored_size` and `offset` that stand in the zip64 field.
void apply_zip64(std::string_view extra, uint64_t& size, uint64_t& stored_size, uint64_t& offset) {
  Record fields(extra, 0);
  while (!fields.done()) {
    const uint16_t id = fields.u16();
    Record field(fields.take(fields.u16()), 0);
    if (id != kZip64Field) continue;
    for (uint64_t* value : {&size, &stored_size, &offset})
      if (*value == kSee64) *value = field.u64();
  }
}

std::string_view data_of(std::string_view bytes, uint64_t header, uint64_t size) {
  Record local(bytes, header);
  expect_signature(local, kLocalHeader);
  local.take(kLocalHeaderSize - 4 - 2 - 2);
  const uint16_t name = local.u16();
  local.take(uint64_t{name} + local.u16());
  return local.take(size);
}

// What the deflated `data` unpacks to, `size` bytes.
std::string inflated(std::string_view data, uint64_t size, const std::string& name) {
  const core::Error damaged = failure("damaged zip archive: entry '{}' cannot be unpacked", name);
  std::string result(size, '\0');
  z_stream stream{};
  constexpr int kRawDeflate = -MAX_WBITS;
  if (inflateInit2(&stream, kRawDeflate) != Z_OK) throw damaged;
  // zlib counts in 32 bits.
  constexpr size_t kMost = std::numeric_limits<uInt>::max();
  size_t taken = 0, made = 0;
  int status = Z_OK;
  while (status == Z_OK) {
    const size_t in = std::min(data.size() - taken, kMost), out = std::min(size - made, kMost);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data() + taken));
    stream.avail_in = static_cast<uInt>(in);
    stream.next_out = reinterpret_cast<Bytef*>(result.data() + made);
    stream.avail_out = static_cast<uInt>(out);
    status = inflate(&stream, Z_NO_FLUSH);
    taken += in - stream.avail_in;
    made += out - stream.avail_out;
  }
  inflateEnd(&stream);
  if (status != Z_STREAM_END || made != size || taken != data.size()) throw damaged;
  return result;
}

struct Unpacked {
  ZipEntry entry;
  std::string_view packed;  // within the archive
};

// left: of the bytes that the archive may unpack to.
Unpacked read_entry(std::string_view bytes, Record& directory, uint64_t& left) {
  expect_signature(directory, kDirectoryEntry);
  directory.take(2 + 2);  // versions
  const uint16_t flags = directory.u16(), method = directory.u16();
  directory.take(2 + 2);  // time
  const uint32_t checksum = directory.u32();
  uint64_t stored_size = directory.u32(), size = directory.u32();
  const uint16_t name_size = directory.u16(), extra_size = directory.u16();
  const uint16_t comment_size = directory.u16();
  directory.take(2 + 2 + 4);  // disk, attributes
  uint64_t offset = directory.u32();
  const std::string name(directory.take(name_size));
  apply_zip64(directory.take(extra_size), size, stored_size, offset);
  directory.take(comment_size);

  if ((flags & kEncrypted) != 0) throw failure("zip archive with the encrypted entry '{}'", name);
  if (method != kStored && method != kDeflated)
    throw failure(
        "zip archive whose entry '{}' is compressed by method {}: unpack the archive and "
        "pack it again with stored entries",
        name, method);
  if (method == kStored && size != stored_size)
    throw failure("damaged zip archive: sizes of entry '{}' differ", name);
  // First what may throw: gcc 12 destroys a half-built aggregate's member from bare braces twice.
  const std::string_view packed = data_of(bytes, offset, stored_size);
  Unpacked result{{.name = name, .data = packed}, packed};
  if (method == kDeflated) {
    if (size > left)
      throw failure("zip archive that unpacks to more than {} times its size", most_unfolded);
    left -= size;
    result.entry.inflated =
        std::make_shared<const std::string>(inflated(result.packed, size, name));
    result.entry.data = *result.entry.inflated;
  }
  if (checksum != 0 && checksum != checksum_of(result.entry.data))
    throw failure("damaged zip archive: the checksum of entry '{}' does not hold", name);
  return result;
}

// Entries that share bytes would let a small file unfold into any size.
void refuse_overlaps(std::vector<Unpacked> entries) {
  std::erase_if(entries, [](const Unpacked& entry) { return entry.packed.empty(); });
  std::ranges::sort(entries, {}, [](const Unpacked& entry) { return entry.packed.data(); });
  for (size_t i = 1; i < entries.size(); ++i)
    if (entries[i - 1].packed.data() + entries[i - 1].packed.size() > entries[i].packed.data())
      throw failure("damaged zip archive: entries '{}' and '{}' overlap", entries[i - 1].entry.name,
                    entries[i].entry.name);
}

// A record written field by field.
class RecordWriter {
 public:
  explicit RecordWriter(std::string& out) : out_(out) {}
  RecordWriter& u16(uint64_t value) { return number(value, 2); }
  RecordWriter& u32(uint64_t value) { return number(value, 4); }
  RecordWriter& u64(uint64_t value) { return number(value, 8); }

 private:
  RecordWriter& number(uint64_t value, int size) {
    for (int i = 0; i < size; ++i) out_ += static_cast<char>(value >> 8 * i & 0xff);
    return *this;
  }
  std::string& out_;
};

uint32_t or_see64(uint64_t value) {
  return static_cast<uint32_t>(std::min<uint64_t>(value, kSee64));
}

}  // namespace

bool is_zip(std::string_view bytes) {
  return bytes.starts_with("PK\3\4");
}

std::vector<ZipEntry> read_zip(std::string_view bytes) {
  constexpr uint64_t kSmallChange = 16 << 20;
  uint64_t left = most_unfolded * bytes.size() + kSmallChange;
  const Directory where = find_directory(bytes);
  Record all(bytes, where.offset);
  Record directory(all.take(where.size), 0);
  std::vector<Unpacked> unpacked;
  for (uint64_t i = 0; i < where.entries; ++i)
    unpacked.push_back(read_entry(bytes, directory, left));
  refuse_overlaps(unpacked);
  std::vector<ZipEntry> entries;
  for (Unpacked& each : unpacked) entries.push_back(std::move(each.entry));
  return entries;
}

void StoredZipWriter::add(std::string_view name, std::string_view data) {
  const Entry entry{std::string(name), checksum_of(data), data.size(), out_.size()};
  const bool zip64 = data.size() >= kSee64;
  const size_t zip64_size = zip64 ? 4 + 16 : 0;
  const size_t unpadded = out_.size() + kLocalHeaderSize + name.size() + zip64_size + 4;
  const size_t padding = (alignment - unpadded % alignment) % alignment;

  RecordWriter header(out_);
  header.u32(kLocalHeader).u16(zip64 ? kVersionWithZip64 : 0).u16(kUtf8Names).u16(kStored);
  header.u32(0).u32(entry.checksum).u32(or_see64(data.size())).u32(or_see64(data.size()));
  header.u16(name.size()).u16(zip64_size + 4 + padding);
  out_ += name;
  if (zip64) header.u16(kZip64Field).u16(16).u64(data.size()).u64(data.size());
  header.u16(kPaddingField).u16(padding);
  out_.append(padding, 'Z');
  out_ += data;
  entries_.push_back(entry);
}

std::string StoredZipWriter::finish() && {
  const uint64_t directory = out_.size();
  RecordWriter record(out_);
  for (const Entry& entry : entries_) {
    const bool zip64 = entry.size >= kSee64 || entry.offset >= kSee64;
    const uint64_t size = zip64 ? kSee64 : entry.size;
    record.u32(kDirectoryEntry).u16(zip64 ? kVersionWithZip64 : 0);
    record.u16(zip64 ? kVersionWithZip64 : 0).u16(kUtf8Names).u16(kStored).u32(0);
    record.u32(entry.checksum).u32(size).u32(size).u16(entry.name.size()).u16(zip64 ? 28 : 0);
    record.u16(0).u16(0).u16(0).u32(0).u32(zip64 ? kSee64 : entry.offset);
    out_ += entry.name;
    if (zip64) record.u16(kZip64Field).u16(24).u64(entry.size).u64(entry.size).u64(entry.offset);
  }
  const uint64_t end = out_.size(), size = end - directory, count = entries_.size();
  // The zip64 records may always be there; PyTorch, too, writes them always.
  record.u32(kEnd64).u64(kEnd64Size - 12).u16(kVersionWithZip64).u16(kVersionWithZip64);
  record.u32(0).u32(0).u64(count).u64(count).u64(size).u64(directory);
  record.u32(kEnd64Locator).u32(0).u64(end).u32(1);
  const auto count16 = std::min<uint64_t>(count, kSee64Short);
  record.u32(kEnd).u16(0).u16(0).u16(count16).u16(count16).u32(or_see64(size));
  record.u32(or_see64(directory)).u16(0);
  return std::move(out_);
}

}  // namespace lowbit::core
