#include "lowbit/core/files.h"

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <list>
#include <optional>
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

std::string reason_not_written() {
  return errno == ENXIO ? "it is a FIFO that no process reads" : reason();
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

// Of what a FIFO gives: endless ones must not fill the memory.
constexpr size_t kMostOfFifo = size_t{1} << 30;
constexpr size_t kPiece = size_t{1} << 20;  // bytes read at once

Error unreadable(const fs::path& path, std::string_view why) {
  return failure("cannot read '{}': {}", path.string(), why);
}

Error unwritable(const fs::path& path, std::string_view why) {
  return failure("cannot write '{}': {}", path.string(), why);
}

// Whether a call failed only because the other end of the open FIFO or terminal is not ready; then
// waits until it is.
bool waited_for(const Descriptor& file, short event) {
  if (errno != EAGAIN && errno != EWOULDBLOCK) return false;
  pollfd ready = {file.get(), event, 0};
  return ::poll(&ready, 1, -1) >= 0 || errno == EINTR;
}

// Appends what is left of an open file, up to more than `most` bytes; false, with errno set, on
// failure.
bool read_until_end(const Descriptor& file, std::string& content, size_t most) {
  for (ssize_t count = -1; count != 0 && content.size() <= most;) {
    const size_t before = content.size();
    content.resize(before + kPiece);
    count = ::read(file.get(), content.data() + before, kPiece);
    content.resize(before + static_cast<size_t>(std::max<ssize_t>(count, 0)));
    if (count < 0 && errno != EINTR && !waited_for(file, POLLIN)) return false;
  }
  return true;
}

// What a path to write to names.
struct Target {
  fs::path file = {};    // behind all links
  bool special = false;  // a device or a FIFO, which is written into
  std::optional<struct stat> old = {};
};

bool is_same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// An Error if it can be neither replaced nor written into.
Target target_of(const fs::path& path, Special special) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) throw unwritable(path, reason());
    Target target{.file = behind_links(path)};
    if (!is_folder(folder_of(target.file)))
      throw unwritable(path,
                       fmt::format("there is no folder '{}'", folder_of(target.file).string()));
    return target;
  }
  const auto mode = status.st_mode;
  if (S_ISDIR(mode)) throw unwritable(path, "it is a folder");
  if (!S_ISREG(mode)) {
    if (special == Special::refused || !(S_ISCHR(mode) || S_ISFIFO(mode)))
      throw unwritable(path, S_ISFIFO(mode) ? "it is a FIFO" : "it is a device");
    return {.file = path, .special = true};
  }
  if (::access(path.c_str(), W_OK) != 0) throw unwritable(path, reason());
  // A link in /proc to an open file may not be followed by name, and to replace the file that
  // standard output goes to would take both from the user.
  Target target{.file = behind_links(path), .old = status};
  struct stat other = {};
  if (::stat(target.file.c_str(), &other) != 0 || !is_same_file(status, other))
    throw unwritable(path, "it is an open file without a name");
  for (const int output : {STDOUT_FILENO, STDERR_FILENO})
    if (::fstat(output, &other) == 0 && is_same_file(status, other))
      throw unwritable(path, "the output of this program goes there");
  return target;
}

// The new file looks to others as the old one did; where the system forbids that, as new ones do.
void keep_attributes(const Target& target, const fs::path& file) {
  if (!target.old) return;
  [[maybe_unused]] const int owner = ::chown(file.c_str(), target.old->st_uid, target.old->st_gid);
  ::chmod(file.c_str(), target.old->st_mode & 07777);
}

void sync(const fs::path& path, int flags) {
  const Descriptor file(path, flags);
  if (file.get() < 0 || ::fsync(file.get()) != 0) throw unwritable(path, reason());
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
// give a file two of them, so that there is no moment without a file of that name. Behind a link
// `path` may lie in another file system: then `kept` is a copy.
void keep_as(const fs::path& path, const fs::path& kept) {
  if (::access(path.c_str(), F_OK) != 0) return;
  const fs::path target = target_of(kept, Special::refused).file;
  const fs::path link = unfinished_name(target);
  ::unlink(link.c_str());
  const bool linked = ::link(path.c_str(), link.c_str()) == 0;
  const bool copied = !linked && errno == EXDEV && fs::copy_file(path, link);
  if (::rename((linked || copied ? link : path).c_str(), target.c_str()) != 0)
    throw failure("cannot replace '{}': {}", kept.string(), reason());
  // To rename one name of a file to another name of the same file does nothing.
  if (linked) ::unlink(link.c_str());
}

}  // namespace

std::string read_file(const fs::path& path) {
  const Descriptor file(path, O_RDONLY);
  struct stat status = {};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) throw unreadable(path, reason());
  if (S_ISDIR(status.st_mode)) throw unreadable(path, "it is a folder");
  const bool fifo = S_ISFIFO(status.st_mode);
  if (!fifo && !S_ISREG(status.st_mode)) throw unreadable(path, "it is a device");
  std::string content;
  if (!fifo) content.reserve(static_cast<size_t>(status.st_size) + kPiece);
  if (!read_until_end(file, content, fifo ? kMostOfFifo : std::string::npos))
    throw unreadable(path, reason());
  if (fifo && content.empty()) throw unreadable(path, "it is a FIFO that no process writes to");
  if (fifo && content.size() > kMostOfFifo)
    throw unreadable(path, fmt::format("a FIFO may give {} bytes at most", kMostOfFifo));
  return content;
}

std::string read_start(const fs::path& path, size_t bytes) {
  const Descriptor file(path, O_RDONLY);
  struct stat status = {};
  std::string start;
  if (file.get() >= 0 && ::fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode)) {
    start.resize(bytes);
    const ssize_t count = ::pread(file.get(), start.data(), bytes, 0);
    start.resize(static_cast<size_t>(std::max<ssize_t>(count, 0)));
  }
  return start;
}

fs::path behind_links(const fs::path& path) {
  constexpr int kMostLinks = 40;  // as the system has it
  fs::path target = path;
  std::error_code none;
  for (int i = 0; i < kMostLinks; ++i) {
    const fs::path link = fs::read_symlink(target, none);
    if (none) return target;
    target = target.parent_path() / link;  // `link` itself if that is absolute
  }
  throw unwritable(path, std::strerror(ELOOP));
}

void replace_file(const fs::path& path, const std::function<void(const fs::path&)>& write,
                  const fs::path& kept) {
  const Target target = target_of(path, Special::refused);
  const fs::path unfinished = unfinished_name(target.file);
  try {
    // One left by a killed process with the same number, or a link put there.
    ::unlink(unfinished.c_str());
    write(unfinished);
    keep_attributes(target, unfinished);
    sync(unfinished, O_RDONLY);
    if (!kept.empty()) keep_as(target.file, kept);
    if (::rename(unfinished.c_str(), target.file.c_str()) != 0)
      throw failure("cannot replace '{}': {}", path.string(), reason());
    // The rename itself is only durable once the folder is.
    sync(folder_of(target.file), O_RDONLY | O_DIRECTORY);
  } catch (...) {
    std::error_code ignored;
    fs::remove(unfinished, ignored);
    throw;
  }
}

void replace_file(const fs::path& path, std::string_view content, const fs::path& kept) {
  if (target_of(path, Special::written).special) {
    write_all(Descriptor(path, O_WRONLY), path, content);
    return;
  }
  const auto write = [&](const fs::path& unfinished) {
    write_all(Descriptor(unfinished, O_WRONLY | O_CREAT | O_EXCL), path, content);
  };
  replace_file(path, write, kept);
}

void require_writable(const fs::path& path, Special special) {
  const Target target = target_of(path, special);
  if (target.special) {
    // Closed by the process's end: otherwise the reader of a FIFO would take it for the end.
    static std::list<Descriptor> held;
    if (held.emplace_back(path, O_WRONLY).get() < 0) throw unwritable(path, reason_not_written());
    return;
  }
  const fs::path unfinished = unfinished_name(target.file);
  ::unlink(unfinished.c_str());
  if (Descriptor(unfinished, O_WRONLY | O_CREAT | O_EXCL).get() < 0)
    throw unwritable(path, reason());
  ::unlink(unfinished.c_str());
}

void write_all(const Descriptor& file, const fs::path& path, std::string_view content) {
  while (file.get() >= 0 && !content.empty()) {
    const ssize_t written = ::write(file.get(), content.data(), content.size());
    if (written < 0 && (errno == EINTR || waited_for(file, POLLOUT))) continue;
    if (written < 0) break;
    content.remove_prefix(static_cast<size_t>(written));
  }
  if (file.get() >= 0 && content.empty()) return;
  throw unwritable(path, reason_not_written());
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
  const fs::path folder = folder_of(path);
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (entry.is_regular_file(ignored)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  const std::string nearest = nearest_name(path.filename().string(), names);
  return nearest.empty() || !path.has_parent_path() ? nearest : (folder / nearest).string();
}

void make_writable_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(behind_links(folder), error);
  if (error) throw failure("cannot create folder '{}': {}", folder.string(), error.message());
  if (::access(folder.c_str(), W_OK) != 0)
    throw failure("cannot write to folder '{}': {}", folder.string(), reason());
}

}  // namespace lowbit::core
