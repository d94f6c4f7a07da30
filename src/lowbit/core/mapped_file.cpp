#include "lowbit/core/mapped_file.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"

namespace lowbit::core {
namespace {

Error unreadable(const std::filesystem::path& path, const char* reason) {
  return failure("cannot read '{}': {}", path.string(), reason);
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path), file_(path, O_RDONLY) {
  struct stat status = {};
  if (file_.get() < 0 || ::fstat(file_.get(), &status) != 0)
    throw unreadable(path, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) throw unreadable(path, "it is no regular file");
  const auto size = static_cast<size_t>(status.st_size);
  if (size == 0) return;  // nothing cannot be mapped
  void* const begin = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file_.get(), 0);
  if (begin == MAP_FAILED) throw unreadable(path, std::strerror(errno));
  bytes_ = {static_cast<const char*>(begin), size};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

void MappedFile::expect_random_access() const {
  ::madvise(const_cast<char*>(bytes_.data()), bytes_.size(), MADV_RANDOM);
}

void MappedFile::bring(std::string_view part) const {
  if (part.empty()) return;
  static const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto first = reinterpret_cast<uintptr_t>(part.data());
  void* const begin = reinterpret_cast<void*>(first / page * page);
  const size_t size = first % page + part.size();
  // The first begins to read all of it, the second waits for that.
  ::madvise(begin, size, MADV_WILLNEED);
  if (::madvise(begin, size, MADV_POPULATE_READ) == 0) return;
  if (errno == EFAULT || errno == EHWPOISON)
    throw unreadable(path_, "it was cut, or its disk fails");
}

void MappedFile::let_go() const {
  if (!bytes_.empty()) ::madvise(const_cast<char*>(bytes_.data()), bytes_.size(), MADV_DONTNEED);
}

}  // namespace lowbit::core
