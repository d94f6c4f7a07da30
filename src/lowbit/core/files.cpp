#include "lowbit/core/files.h"

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <vector>

#include "lowbit/core/descriptor.h"
#include "lowbit/core/error.h"
#include "lowbit/core/number.h"

namespace lowbit::core {
namespace fs = std::filesystem;
namespace {

std::string reason() {
  return std::strerror(errno);
}

void sync(const fs::path& path, int flags) {
  const Descriptor file(path, flags);
  if (file.get() < 0 || ::fsync(file.get()) != 0)
    throw failure("cannot write '{}': {}", path.string(), reason());
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

bool lives(pid_t process) {
  return ::kill(process, 0) == 0 || errno != ESRCH;
}

constexpr std::string_view kUnfinished = ".tmp";

// The process id keeps two programs that save the same name from sharing the unfinished file.
fs::path unfinished_name(const fs::path& path) {
  return fmt::format("{}.{}{}", path.string(), ::getpid(), kUnfinished);
}

// Lets `kept` name what `path` names, in one step; `path` keeps its name where the file system can
// give a file two of them, so that there is no moment without a file of that name.
void keep_as(const fs::path& path, const fs::path& kept) {
  if (::access(path.c_str(), F_OK) != 0) return;
  const fs::path link = unfinished_name(kept);
  const bool linked = ::link(path.c_str(), link.c_str()) == 0;
  if (::rename((linked ? link : path).c_str(), kept.c_str()) != 0)
    throw failure("cannot replace '{}': {}", kept.string(), reason());
  // To rename one name of a file to another name of the same file does nothing.
  if (linked) ::unlink(link.c_str());
}

}  // namespace

std::string read_file(const fs::path& path) {
  if (is_folder(path)) throw failure("cannot read '{}': it is a folder", path.string());
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  std::ostringstream content;
  if (!in || (in.peek() != std::ifstream::traits_type::eof() && !(content << in.rdbuf())))
    throw failure("cannot read '{}': {}", path.string(), reason());
  return std::move(content).str();
}

void replace_file(const fs::path& path, const std::function<void(const fs::path&)>& write,
                  const fs::path& kept) {
  const fs::path unfinished = unfinished_name(path);
  try {
    write(unfinished);
    sync(unfinished, O_RDONLY);
    if (!kept.empty()) keep_as(path, kept);
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

void replace_file(const fs::path& path, std::string_view content, const fs::path& kept) {
  const auto write = [&](const fs::path& unfinished) {
    write_all(Descriptor(unfinished, O_WRONLY | O_CREAT | O_TRUNC), path, content);
  };
  replace_file(path, write, kept);
}

void write_all(const Descriptor& file, const fs::path& path, std::string_view content) {
  while (file.get() >= 0 && !content.empty()) {
    const ssize_t written = ::write(file.get(), content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) break;
    content.remove_prefix(static_cast<size_t>(written));
  }
  if (file.get() < 0 || !content.empty())
    throw failure("cannot write '{}': {}", path.string(), reason());
}

void append_file(const fs::path& path, std::string_view content) {
  write_all(Descriptor(path, O_WRONLY | O_CREAT | O_APPEND), path, content);
}

void remove_unfinished(const fs::path& folder, const std::function<bool(const fs::path&)>& ours) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().extension() != kUnfinished) continue;
    const fs::path numbered = entry.path().stem(), path = numbered.stem();
    const std::string extension = numbered.extension().string();  // ".NUMBER"
    const std::optional<pid_t> process =
        number_of<pid_t>(std::string_view(extension).substr(extension.empty() ? 0 : 1));
    if (process && *process > 0 && ours(folder / path) && !lives(*process))
      fs::remove(entry.path(), ignored);
  }
}

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
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
