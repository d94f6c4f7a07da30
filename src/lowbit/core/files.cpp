#include "lowbit/core/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <vector>

#include "lowbit/core/error.h"

namespace lowbit::core {
namespace fs = std::filesystem;
namespace {

std::string reason() {
  return std::strerror(errno);
}

// Closes what it opened, whatever happens in between.
class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags) : value_(::open(path.c_str(), flags, 0644)) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }

 private:
  int value_;
};

void sync(const fs::path& path, int flags) {
  const Descriptor file(path, flags);
  if (file.get() < 0 || ::fsync(file.get()) != 0)
    throw failure("cannot write '{}': {}", path.string(), reason());
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

}  // namespace

std::string read_file(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored))
    throw failure("cannot read '{}': it is a folder", path.string());
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  std::ostringstream content;
  if (!in || (in.peek() != std::ifstream::traits_type::eof() && !(content << in.rdbuf())))
    throw failure("cannot read '{}': {}", path.string(), reason());
  return std::move(content).str();
}

void replace_file(const fs::path& path, const std::function<void(const fs::path&)>& write) {
  // The process id keeps two programs that save the same name from sharing the unfinished file.
  fs::path unfinished = path;
  unfinished += "." + std::to_string(::getpid()) + ".tmp";
  try {
    write(unfinished);
    sync(unfinished, O_RDONLY);
    if (::rename(unfinished.c_str(), path.c_str()) != 0)
      throw failure("cannot replace '{}': {}", path.string(), reason());
    // The rename itself is only durable once the folder is.
    sync(folder_of(path), O_RDONLY | O_DIRECTORY);
  } catch (...) {
    std::error_code ignored;
    fs::remove(unfinished, ignored);
    throw;
  }
}

void replace_file(const fs::path& path, std::string_view content) {
  replace_file(path, [&](const fs::path& unfinished) {
    const Descriptor file(unfinished, O_WRONLY | O_CREAT | O_TRUNC);
    std::string_view rest = content;
    while (file.get() >= 0 && !rest.empty()) {
      const ssize_t written = ::write(file.get(), rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) break;
      rest.remove_prefix(static_cast<size_t>(written));
    }
    if (file.get() < 0 || !rest.empty())
      throw failure("cannot write '{}': {}", path.string(), reason());
  });
}

std::string nearest_file(const fs::path& path) {
  std::vector<std::string> names;
  std::error_code ignored;
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (entry.is_regular_file(ignored)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  const std::string nearest = nearest_name(path.filename().string(), names);
  return nearest.empty() || !path.has_parent_path() ? nearest : (folder / nearest).string();
}

void make_writable_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw failure("cannot create folder '{}': {}", folder.string(), error.message());
  if (::access(folder.c_str(), W_OK) != 0)
    throw failure("cannot write to folder '{}': {}", folder.string(), reason());
}

}  // namespace lowbit::core
