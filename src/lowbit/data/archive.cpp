#include "lowbit/data/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "lowbit/core/error.h"

namespace lowbit::data {
namespace {

constexpr size_t kPiece = 1 << 18;  // bytes

// What `read(buffer, bytes)` gives until it returns 0. It stops, too, once there are more than
// `limit` bytes: a damaged or hostile file must not fill the memory.
template <class Read>
std::string read_pieces(const Read& read, size_t limit) {
  std::string content;
  size_t count = 1;
  while (count > 0 && content.size() <= limit) {
    const size_t before = content.size();
    content.resize(before + kPiece);
    count = read(content.data() + before, kPiece);
    content.resize(before + count);
  }
  return content;
}

void check_limit(const std::string& content, size_t limit, const std::string& name) {
  if (content.size() > limit) {
    throw core::failure("'{}' is longer than the expected {} bytes", name, limit);
  }
}

core::Error unreadable(const std::filesystem::path& path, const char* reason) {
  return core::failure("cannot read '{}': {}", path.string(), reason ? reason : "it is damaged");
}

struct FreeArchive {
  void operator()(struct archive* reader) const { archive_read_free(reader); }
};
using Archive = std::unique_ptr<struct archive, FreeArchive>;

Archive open_tar(const std::filesystem::path& path) {
  Archive tar(archive_read_new());
  archive_read_support_filter_gzip(tar.get());
  archive_read_support_format_tar(tar.get());
  if (archive_read_open_filename(tar.get(), path.c_str(), kPiece) != ARCHIVE_OK) {
    throw unreadable(path, archive_error_string(tar.get()));
  }
  return tar;
}

std::string read_member(struct archive* tar, const std::filesystem::path& path, size_t limit) {
  return read_pieces(
      [&](char* buffer, size_t bytes) {
        const la_ssize_t count = archive_read_data(tar, buffer, bytes);
        if (count < 0) throw unreadable(path, archive_error_string(tar));
        return static_cast<size_t>(count);
      },
      limit);
}

// Throws what the last gzread found. At a cut it gives the bytes that are there, and only this
// tells.
void check_gzip(gzFile_s* file, const std::filesystem::path& path) {
  int code = Z_OK;
  std::string reason = gzerror(file, &code);
  if (code == Z_OK) return;
  if (code == Z_ERRNO) reason = std::strerror(errno);
  // zlib names the file, too.
  if (const std::string prefix = path.string() + ": "; reason.starts_with(prefix)) {
    reason.erase(0, prefix.size());
  }
  throw unreadable(path, reason.c_str());
}

struct CloseGzip {
  void operator()(gzFile_s* file) const { gzclose(file); }
};

}  // namespace

std::map<std::string, std::string> read_members(const std::filesystem::path& archive,
                                                std::span<const std::string> base_names,
                                                size_t limit) {
  const Archive tar = open_tar(archive);
  std::map<std::string, std::string> members;
  struct archive_entry* entry = nullptr;
  int status;
  while ((status = archive_read_next_header(tar.get(), &entry)) == ARCHIVE_OK) {
    const char* path = archive_entry_pathname(entry);
    const std::string name = path ? std::filesystem::path(path).filename().string() : "";
    if (std::ranges::find(base_names, name) == base_names.end()) continue;
    const std::string& content = members[name] = read_member(tar.get(), archive, limit);
    check_limit(content, limit, archive.string() + ": " + name);
  }
  if (status != ARCHIVE_EOF) throw unreadable(archive, archive_error_string(tar.get()));
  return members;
}

std::string read_unpacked(const std::filesystem::path& path, size_t limit) {
  errno = 0;
  const std::unique_ptr<gzFile_s, CloseGzip> file(gzopen(path.c_str(), "rb"));
  if (!file) throw unreadable(path, errno ? std::strerror(errno) : "out of memory");
  gzbuffer(file.get(), kPiece);
  std::string content = read_pieces(
      [&](char* buffer, size_t bytes) {
        const int count = gzread(file.get(), buffer, static_cast<unsigned>(bytes));
        check_gzip(file.get(), path);
        return static_cast<size_t>(count);
      },
      limit);
  check_limit(content, limit, path.string());
  return content;
}

}  // namespace lowbit::data
